package compute

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/gateway/order"
	"github.com/troupe-cloud/troupe/messages"
)

// createServer answers 202 once every server asked for is committed as BUILD.
func (a *API) createServer(r *api.Request) (api.Response, error) {
	body, err := decode[createServerBody](r, createServerSchema)
	if err != nil {
		return api.Response{}, err
	}
	asked, err := a.resolve(r, body)
	if err != nil {
		return api.Response{}, err
	}
	ctx, cancel := unhurried(r.Context())
	defer cancel()
	ids, err := a.createAll(ctx, asked)
	if err != nil {
		return api.Response{}, err
	}
	if bool(body.Server.ReturnReservationID) {
		return api.Response{Status: http.StatusAccepted, Body: reservation{asked.command.ReservationId}}, nil
	}
	return created(r, ids[0], asked.command), nil
}

type reservation struct {
	ID string `json:"reservation_id"`
}

type createdServer struct {
	ID             string          `json:"id"`
	Links          []link          `json:"links"`
	DiskConfig     string          `json:"OS-DCF:diskConfig"`
	SecurityGroups []securityGroup `json:"security_groups"`
	AdminPass      string          `json:"adminPass"`
}

func created(r *api.Request, id string, c *messages.CreateInstance) api.Response {
	s := createdServer{
		ID: id, Links: links(r, "servers", id), DiskConfig: c.DiskConfig,
		SecurityGroups: groups(c.SecurityGroups), AdminPass: c.AdminPassword,
	}
	return api.Response{
		Status: http.StatusAccepted,
		Header: http.Header{"Location": {s.Links[0].Href}},
		Body: struct {
			Server createdServer `json:"server"`
		}{s},
	}
}

// serverOrder is what POST /servers comes to: a command, to be given once for
// each server.
type serverOrder struct {
	command  *messages.CreateInstance
	min, max int
	named    bool // the host name was chosen by the user
}

// one is the command for server i, from 0, under its own id. For the only one it
// is the order's own.
func (o serverOrder) one(i int) *messages.CreateInstance {
	c := o.command
	if o.max > 1 {
		c = proto.Clone(c).(*messages.CreateInstance)
	}
	c.Id = order.NewID()
	if !o.named {
		c.Hostname = order.Hostname(c.Name, c.Id)
	}
	if o.max > 1 {
		c.Name = fmt.Sprintf("%s-%d", c.Name, i+1)
		if !o.named {
			c.Hostname = order.Numbered(c.Hostname, i+1)
		}
	}
	return c
}

// unhurried is ctx with its deadline, but it does not end when the client hangs
// up: half of several servers is what nobody asked for.
func unhurried(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, bounded := ctx.Deadline()
	ctx = context.WithoutCancel(ctx)
	if !bounded {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, deadline)
}

// createAll creates as many servers as were asked for, and as the quota has room
// for; with room for fewer than the least number wanted, none.
func (a *API) createAll(ctx context.Context, o serverOrder) (ids []string, err error) {
	for i := range o.max {
		c := o.one(i)
		_, err := a.cloud.Ask(ctx, instanceRef(c.Id), c)
		if err == nil {
			ids = append(ids, c.Id)
			continue
		}
		if errors.Is(err, messages.Exhausted) && len(ids) >= o.min {
			return ids, nil
		}
		// This one too: where no answer came it may be there all the same.
		a.withdraw(ctx, append(ids, c.Id), o.command)
		return nil, err
	}
	return ids, nil
}

// withdrawTime is how long undoing half a request may take.
const withdrawTime = 10 * time.Second

// withdraw deletes servers of a request that came to nothing, also if that was
// because the request ran out of time. A failure is not worth telling: the user
// sees the servers and may delete them.
func (a *API) withdraw(ctx context.Context, ids []string, c *messages.CreateInstance) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawTime)
	defer cancel()
	for _, id := range ids {
		_, _ = a.cloud.Ask(ctx, instanceRef(id), &messages.ActOnInstance{
			Action: messages.Action_ACTION_DELETE, UserId: c.UserId, ProjectId: c.ProjectId, RequestId: c.RequestId,
		})
	}
}

func instanceRef(id string) actors.Ref { return actors.Ref{Kind: "instance", ID: id} }

// createServerBody is the body of POST /servers. The schema has checked it.
type createServerBody struct {
	Server struct {
		Name                string            `json:"name"`
		ImageRef            string            `json:"imageRef"`
		FlavorRef           flexString        `json:"flavorRef"`
		AdminPass           string            `json:"adminPass"`
		Metadata            map[string]string `json:"metadata"`
		Networks            networksField     `json:"networks"`
		DiskConfig          string            `json:"OS-DCF:diskConfig"`
		AccessIPv4          string            `json:"accessIPv4"`
		AccessIPv6          string            `json:"accessIPv6"`
		Zone                string            `json:"availability_zone"`
		ConfigDrive         flexBool          `json:"config_drive"`
		KeyName             string            `json:"key_name"`
		MinCount            *flexInt          `json:"min_count"`
		MaxCount            *flexInt          `json:"max_count"`
		ReturnReservationID flexBool          `json:"return_reservation_id"`
		SecurityGroups      []securityGroup   `json:"security_groups"`
		UserData            string            `json:"user_data"`
		Description         *string           `json:"description"`
		Tags                []string          `json:"tags"`
		Personality         []any             `json:"personality"`
		TrustedCertificates []string          `json:"trusted_image_certificates"`
		Host                string            `json:"host"`
		HypervisorHostname  string            `json:"hypervisor_hostname"`
		Hostname            string            `json:"hostname"`
		BlockDevicesV1      []any             `json:"block_device_mapping"`
		BlockDevices        []blockDevice     `json:"block_device_mapping_v2"`
	} `json:"server"`
	Hints    map[string]any `json:"os:scheduler_hints"`
	OldHints map[string]any `json:"OS-SCH-HNT:scheduler_hints"`
}

type securityGroup struct {
	Name string `json:"name"`
}

func groups(names []string) []securityGroup {
	out := make([]securityGroup, 0, len(names))
	for _, n := range names {
		out = append(out, securityGroup{n})
	}
	return out
}

// networksField is "auto", "none", a list, or absent.
type networksField struct {
	Set  bool
	Word string
	List []networkItem
}

type networkItem struct {
	UUID    *string `json:"uuid"`
	Port    *string `json:"port"`
	FixedIP string  `json:"fixed_ip"`
	Tag     string  `json:"tag"`
}

func (n *networksField) UnmarshalJSON(raw []byte) error {
	n.Set = true
	if raw[0] == '"' {
		return json.Unmarshal(raw, &n.Word)
	}
	return json.Unmarshal(raw, &n.List)
}
