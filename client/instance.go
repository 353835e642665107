package client

import (
	"context"

	"github.com/google/uuid"

	"github.com/troupe-cloud/troupe/messages"
)

const instanceKind = "instance"

// InstanceSpec is a server as a program wants it. Name, Image and Flavor must be
// said, and Project unless the certificate is of one.
type InstanceSpec struct {
	// ID is a UUID. Empty: one is made. The same spec under the same ID creates one
	// server, however often it is asked for.
	ID      string
	Name    string
	Project string

	Image    string // id or name
	Flavor   string // id or name
	Networks []Network
	// NoNetwork is a server without any. Neither this nor Networks: the one network
	// that the project has.
	NoNetwork bool

	PublicKey        string // for the guest's first user, in OpenSSH's form; or
	KeyName          string // of a key pair of User
	User             string // who it is said to be created by; "": the certificate's name
	UserData         []byte // for cloud-init
	Metadata         map[string]string
	Tags             []string
	AvailabilityZone string
	Host             string // the only host to try; operators only
	Hostname         string // "": made of Name
	Description      string
	AdminPassword    string // "": one is made up
	ConfigDrive      bool
	Hints            map[string]string // for the scheduler
}

// Network is one network interface of a server.
type Network struct {
	Network string // id or name
	Port    string // id of a port that exists, instead
	FixedIP string // "": any address
}

// CreateInstance has a server created and returns it as BUILD, once that is
// durable and within the quota. What becomes of it, WatchInstance shows.
func (c *Client) CreateInstance(ctx context.Context, spec InstanceSpec) (*messages.InstanceView, error) {
	o := spec.order()
	if o.UserId == "" {
		o.UserId = "client:" + c.name
	}
	return Ask[*messages.InstanceView](ctx, c, cloudKind, "", o)
}

func (s InstanceSpec) order() *messages.OrderInstance {
	o := &messages.OrderInstance{
		Id: s.ID, Name: s.Name, ProjectId: s.Project, UserId: s.User, Flavor: s.Flavor, Image: s.Image,
		NoNetwork: s.NoNetwork, KeyName: s.KeyName, PublicKey: s.PublicKey, UserData: s.UserData, Metadata: s.Metadata,
		Tags: s.Tags, AvailabilityZone: s.AvailabilityZone, Host: s.Host, AdminPassword: s.AdminPassword,
		ConfigDrive: s.ConfigDrive, Description: s.Description, Hostname: s.Hostname, Hints: s.Hints,
	}
	if o.Id == "" {
		o.Id = uuid.Must(uuid.NewV7()).String()
	}
	for _, n := range s.Networks {
		o.Networks = append(o.Networks, &messages.NetworkRequest{NetworkId: n.Network, PortId: n.Port, FixedIp: n.FixedIP})
	}
	return o
}

// Instance is a server as it is now.
func (c *Client) Instance(ctx context.Context, id string) (*messages.InstanceView, error) {
	return Ask[*messages.InstanceView](ctx, c, instanceKind, id, &messages.GetInstance{})
}

// InstanceActions is the history of a server, the newest first.
func (c *Client) InstanceActions(ctx context.Context, id string) ([]*messages.ActionRecord, error) {
	v, err := Ask[*messages.InstanceActionsView](ctx, c, instanceKind, id, &messages.GetInstanceActions{})
	return v.GetActions(), err
}

// Start powers a server on. This and what follows return once the action is
// begun; WatchInstance shows how it ends. Conflict in a state that does not allow
// it, or while another action is under way.
func (c *Client) Start(ctx context.Context, id string) error {
	return c.act(ctx, id, messages.Action_ACTION_START)
}

// Stop powers a server off: its guest is asked to, and after a grace made to.
func (c *Client) Stop(ctx context.Context, id string) error {
	return c.act(ctx, id, messages.Action_ACTION_STOP)
}

// Reboot restarts a server by its guest, and after a grace as RebootHard does.
func (c *Client) Reboot(ctx context.Context, id string) error {
	return c.act(ctx, id, messages.Action_ACTION_REBOOT_SOFT)
}

// RebootHard restarts a server as if its power had failed.
func (c *Client) RebootHard(ctx context.Context, id string) error {
	return c.act(ctx, id, messages.Action_ACTION_REBOOT_HARD)
}

// DeleteInstance deletes a server, in any state.
func (c *Client) DeleteInstance(ctx context.Context, id string) error {
	return c.act(ctx, id, messages.Action_ACTION_DELETE)
}

func (c *Client) act(ctx context.Context, id string, what messages.Action) error {
	ctx = WithRequest(ctx, c.request(ctx))
	_, err := c.Ask(ctx, instanceKind, id, &messages.ActOnInstance{Action: what, UserId: "client:" + c.name, RequestId: c.request(ctx)})
	return err
}

// SetMetadata adds to a server's metadata, or changes what is there.
func (c *Client) SetMetadata(ctx context.Context, id string, items map[string]string) (*messages.InstanceView, error) {
	return c.update(ctx, id, &messages.UpdateInstance{Metadata: items})
}

// ReplaceMetadata makes items the only metadata of a server.
func (c *Client) ReplaceMetadata(ctx context.Context, id string, items map[string]string) (*messages.InstanceView, error) {
	return c.update(ctx, id, &messages.UpdateInstance{Metadata: items, ReplaceMetadata: true})
}

// RemoveMetadata takes items away; NotFound if one is not there.
func (c *Client) RemoveMetadata(ctx context.Context, id string, keys ...string) (*messages.InstanceView, error) {
	return c.update(ctx, id, &messages.UpdateInstance{RemoveMetadata: keys})
}

func (c *Client) update(ctx context.Context, id string, m *messages.UpdateInstance) (*messages.InstanceView, error) {
	return Ask[*messages.InstanceView](ctx, c, instanceKind, id, m)
}

// Console is the end of what a server's serial console has said, at most maxBytes
// of it; 0: all that is kept. Conflict before it has a host.
func (c *Client) Console(ctx context.Context, id string, maxBytes int64) ([]byte, error) {
	v, err := Ask[*messages.ConsoleView](ctx, c, cloudKind, "", &messages.GetInstanceConsole{InstanceId: id, MaxBytes: maxBytes})
	return v.GetOutput(), err
}

// InstanceChange is one state of a server.
type InstanceChange struct {
	Instance *messages.InstanceView // shared: not to be changed
	Err      error                  // instead, and the last: NotFound once it is deleted, or why it cannot be watched
}

// WatchInstance tells what a server is, now and after each change, until ctx ends,
// it is deleted or cannot be watched any more; then the channel is closed. See
// Watch for what it outlives.
func (c *Client) WatchInstance(ctx context.Context, id string) (<-chan InstanceChange, error) {
	asked, err := question(instanceKind, id, &messages.GetInstance{})
	if err != nil {
		return nil, err
	}
	return into(ctx, c.watches, asked, func(change Change) InstanceChange {
		v, _ := change.Answer.(*messages.InstanceView)
		return InstanceChange{v, change.Err}
	}, true)
}
