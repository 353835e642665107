// Package machine reads what a server's metadata and tags ask of the registry: the
// services that it is an endpoint of, and the configs that its guest may read. It
// owns the names and limits of those wishes. Who may have them granted, services and
// configs decide; when a server is announced, the instance does.
package machine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/messages"
)

// Keys of metadata. Each may stand in a tag as well, as KEY=VALUE; metadata count
// before tags, but services and configs of both are joined.
const (
	Prefix       = "troupe:"
	ServiceKey   = Prefix + "service" // name[:port], several with commas
	ConfigKey    = Prefix + "config"  // data id[@group], several with commas
	GroupKey     = Prefix + "group"
	NamespaceKey = Prefix + "namespace"
	ClusterKey   = Prefix + "cluster"
	WeightKey    = Prefix + "weight"
	CheckKey     = Prefix + "check"   // tcp, http:/path or none
	DrainKey     = Prefix + "drain"   // whole seconds
	NetworkKey   = Prefix + "network" // whose address is announced: its name or id
)

// What the metadata of an endpoint that a server has announced say of it.
const (
	EndpointInstance = "troupe.instance" // its id
	EndpointZone     = "zone"            // its availability zone
)

// Limits of what one server may ask for.
const (
	MaxServices = 8
	MaxConfigs  = 16
	MaxDrain    = 5 * time.Minute
)

// What holds where nothing is said.
const (
	DefaultPort  = 80
	DefaultDrain = 5 * time.Second
)

// Wishes is what a server asks for. The zero Wishes is nothing.
type Wishes struct {
	Services []Service // by identity
	Configs  []Config  // in the order of their names
	Drain    time.Duration
	Network  string // name or id; "": the first that the server has an address of
}

// Service is one service that the server is to be an endpoint of.
type Service struct {
	ID      string // of its grain
	Ports   []int32
	Cluster string
	Weight  float64
	Check   *messages.HealthCheck // nil: whoever runs is well
}

// Config is one config that the guest may read.
type Config struct{ Namespace, Group, DataID string }

// Any says whether metadata or tags ask for anything at all. It is cheap: it is
// asked at every step of every instance.
func Any(metadata map[string]string, tags []string) bool {
	if _, ok := metadata[ServiceKey]; ok {
		return true
	}
	if _, ok := metadata[ConfigKey]; ok {
		return true
	}
	return slices.ContainsFunc(tags, func(t string) bool { return strings.HasPrefix(t, Prefix) })
}

// Parse reads the wishes. One that cannot be read is Invalid, and then none counts.
func Parse(metadata map[string]string, tags []string) (Wishes, error) {
	if !Any(metadata, tags) {
		return Wishes{}, nil
	}
	r := reader{metadata: metadata, tags: tags}
	namespace, group := r.one(NamespaceKey), r.one(GroupKey)
	like := Service{
		Cluster: service.Cluster(r.one(ClusterKey)), Weight: r.weight(), Check: r.check(),
	}
	w := Wishes{Drain: r.drain(), Network: r.one(NetworkKey)}
	r.must(service.CheckCluster(like.Cluster))
	for _, name := range r.all(ServiceKey, MaxServices) {
		w.Services = r.service(w.Services, like, namespace, group, name)
	}
	for _, name := range r.all(ConfigKey, MaxConfigs) {
		w.Configs = r.config(w.Configs, namespace, group, name)
	}
	if r.err != nil {
		return Wishes{}, r.err
	}
	slices.SortFunc(w.Services, func(a, b Service) int { return cmp.Compare(a.ID, b.ID) })
	return w, nil
}

// service adds name[:port] to all.
func (r *reader) service(all []Service, like Service, namespace, group, text string) []Service {
	name, port := text, int32(DefaultPort)
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		name, port = text[:i], r.port(text[i+1:])
	}
	if r.must(service.Check(namespace, group, name)) != nil {
		return all
	}
	like.ID = service.ID(namespace, group, name)
	i := slices.IndexFunc(all, func(s Service) bool { return s.ID == like.ID })
	if i < 0 {
		like.Ports = []int32{port}
		return append(all, like)
	}
	if !slices.Contains(all[i].Ports, port) {
		all[i].Ports = append(all[i].Ports, port)
		slices.Sort(all[i].Ports)
	}
	return all
}

// wrong is an error about one key.
func wrong(key, format string, a ...any) error {
	return fmt.Errorf("%s: %s: %w", key, fmt.Sprintf(format, a...), messages.Invalid)
}
