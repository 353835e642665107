package eureka

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/messages"
)

// dialect is what endpoints say that were registered here.
const dialect = "eureka"

// document is what an endpoint keeps of an instance besides its own fields: address,
// id, status, and the metadata that fit into the registry's.
type document struct {
	Host         string            `json:"hostName,omitempty"`
	Group        string            `json:"appGroupName,omitempty"`
	SID          string            `json:"sid,omitempty"`
	Port         int32             `json:"port,omitempty"`
	NoPort       bool              `json:"portDisabled,omitempty"`
	Secure       int32             `json:"securePort,omitempty"`
	SecureOn     bool              `json:"securePortEnabled,omitempty"`
	Country      int64             `json:"countryId,omitempty"`
	Class        string            `json:"class,omitempty"`
	Center       string            `json:"dataCenter,omitempty"`
	CenterData   map[string]string `json:"dataCenterMetadata,omitempty"`
	Renewal      int64             `json:"renewalIntervalInSecs,omitempty"`
	Duration     int64             `json:"durationInSecs,omitempty"`
	Metadata     map[string]string `json:"metadata,omitempty"` // that did not fit
	Home         string            `json:"homePageUrl,omitempty"`
	StatusPage   string            `json:"statusPageUrl,omitempty"`
	Health       string            `json:"healthCheckUrl,omitempty"`
	SecureHealth string            `json:"secureHealthCheckUrl,omitempty"`
	VIP          string            `json:"vipAddress,omitempty"`
	SVIP         string            `json:"secureVipAddress,omitempty"`
	ASG          string            `json:"asgName,omitempty"`
	Coordinating bool              `json:"isCoordinatingDiscoveryServer,omitempty"`
	Dirty        int64             `json:"lastDirtyTimestamp,omitempty"`
}

// endpoint is what i is in the registry. Preserve: who renews no more is not
// removed at once.
func (i *instance) endpoint(cluster string, preserve bool) (*messages.Endpoint, error) {
	fits, rest := fit(i.Metadata)
	raw, err := json.Marshal(document{
		Host: i.Host, Group: i.Group, SID: i.SID, Port: i.Port.Number, NoPort: !i.Port.Enabled,
		Secure: i.Secure.Number, SecureOn: i.Secure.Enabled, Country: i.Country,
		Class: i.Center.Class, Center: i.Center.Name, CenterData: i.Center.Metadata,
		Renewal: i.Lease.Renewal, Duration: i.Lease.Duration, Metadata: rest,
		Home: i.Home, StatusPage: i.StatusPage, Health: i.Health, SecureHealth: i.SecureHealth,
		VIP: i.VIP, SVIP: i.SVIP, ASG: i.ASG, Coordinating: i.Coordinating, Dirty: i.Dirty,
	})
	if err != nil {
		return nil, err
	}
	timeout := i.Lease.Duration * 1000
	e := &messages.Endpoint{
		Ip: i.IP, Port: i.address(), Cluster: cluster, Weight: 1, Metadata: fits, Id: i.ID, Dialect: dialect,
		Status: i.Status, Document: raw,
		BeatIntervalMs: min(i.Lease.Renewal*1000, timeout-1), BeatTimeoutMs: timeout, DeleteTimeoutMs: timeout,
	}
	if i.Override != unknown {
		e.StatusOverride = i.Override
	}
	if preserve {
		e.DeleteTimeoutMs = preserveFor.Milliseconds() + timeout
	}
	e.Enabled, e.Healthy = flags(resolve(e.Status, e.StatusOverride))
	return e, nil
}

// address is the port at which an instance is called.
func (i *instance) address() int32 {
	if !i.Port.Enabled && i.Secure.Enabled {
		return i.Secure.Number
	}
	return i.Port.Number
}

// fit divides metadata into what the registry takes and the rest, always in the same
// way: by name, as long as there is room.
func fit(m map[string]string) (fits, rest map[string]string) {
	room := service.MaxMetadataChars
	for _, k := range slices.Sorted(maps.Keys(m)) {
		n := utf8.RuneCountInString(k) + utf8.RuneCountInString(m[k])
		if n > room {
			if rest == nil {
				rest = map[string]string{}
			}
			rest[k] = m[k]
			continue
		}
		if fits == nil {
			fits = make(map[string]string, len(m))
		}
		fits[k], room = m[k], room-n
	}
	return fits, rest
}

// sideCluster is where an instance stands whose address another instance has too.
func sideCluster(id string) string {
	sum := sha256.Sum256([]byte(id))
	return service.DefaultCluster + "-" + hex.EncodeToString(sum[:6])
}

// fromEndpoint is an endpoint of a service as an instance, whoever registered it.
func fromEndpoint(name string, e *messages.Endpoint) *instance {
	if e.Dialect == dialect && e.Status != "" {
		var d document
		if err := json.Unmarshal(e.Document, &d); err == nil {
			return d.instance(name, e)
		}
	}
	return foreign(name, e)
}

func (d *document) instance(name string, e *messages.Endpoint) *instance {
	at := e.RegisteredAt / int64(time.Millisecond)
	i := &instance{
		ID: e.Id, Host: d.Host, App: strings.ToUpper(name), Group: d.Group, IP: e.Ip, SID: d.SID,
		Status: shown(e), Override: e.StatusOverride,
		Port: port{d.Port, !d.NoPort}, Secure: port{d.Secure, d.SecureOn}, Country: d.Country,
		Center:   center{d.Class, d.Center, d.CenterData, true},
		Lease:    lease{Renewal: d.Renewal, Duration: d.Duration, Registered: at},
		Metadata: e.Metadata, Home: d.Home, StatusPage: d.StatusPage, Health: d.Health, SecureHealth: d.SecureHealth,
		VIP: d.VIP, SVIP: d.SVIP, ASG: d.ASG, Coordinating: d.Coordinating, Updated: at, Dirty: d.Dirty,
	}
	if len(d.Metadata) > 0 {
		i.Metadata = maps.Clone(d.Metadata)
		maps.Copy(i.Metadata, e.Metadata)
	}
	return i.dated()
}

// foreign is an endpoint that another protocol registered.
func foreign(name string, e *messages.Endpoint) *instance {
	at := e.RegisteredAt / int64(time.Millisecond)
	address := net.JoinHostPort(e.Ip, strconv.Itoa(int(e.Port)))
	i := &instance{
		ID: e.Ip + ":" + name + ":" + strconv.Itoa(int(e.Port)), Host: e.Ip, App: strings.ToUpper(name), IP: e.Ip,
		Status: shown(e), Override: e.StatusOverride, Port: port{e.Port, true}, Secure: port{httpsPort, false},
		Center: center{Name: myOwn}, Lease: lease{Registered: at}, Metadata: e.Metadata,
		Home: "http://" + address + "/", VIP: strings.ToLower(name), Updated: at, Dirty: at,
	}
	if e.Cluster != service.DefaultCluster {
		i.ID += ":" + e.Cluster
	}
	i.settle()
	return i.dated()
}

// dated fills in what follows from the rest.
func (i *instance) dated() *instance {
	if i.Override == "" {
		i.Override = unknown
	}
	i.Lease.Renewed = i.Updated
	if i.Status == up {
		i.Lease.Upon = i.Lease.Registered
	}
	return i
}
