package troupe

import (
	"encoding/base64"
	"math"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/gateway/order"
	"github.com/troupe-cloud/troupe/messages"
)

// newGroupBody is a new group. Times are in seconds.
type newGroupBody struct {
	Name           string `json:"name"`
	Desired        int32  `json:"desired"`
	MinHealthy     int32  `json:"min_healthy"`
	MaxUnavailable int32  `json:"max_unavailable"`
	MaxSurge       int32  `json:"max_surge"`
	HostGrace      int64  `json:"host_grace"`
	Unhealthy      int64  `json:"unhealthy_after"`
	Start          int64  `json:"start_within"`
	RollOnConfig   bool   `json:"roll_on_config"`
	templateBody
}

func (b *newGroupBody) policy() *messages.GroupPolicy {
	return &messages.GroupPolicy{
		MinHealthy: b.MinHealthy, MaxUnavailable: b.MaxUnavailable, MaxSurge: b.MaxSurge,
		HostGraceMs: milliseconds(b.HostGrace), UnhealthyMs: milliseconds(b.Unhealthy), StartMs: milliseconds(b.Start),
		RollOnConfig: b.RollOnConfig,
	}
}

// changedGroupBody is what may be changed of a group at any time.
type changedGroupBody struct {
	Desired        *int32 `json:"desired"`
	MinHealthy     *int32 `json:"min_healthy"`
	MaxUnavailable *int32 `json:"max_unavailable"`
	MaxSurge       *int32 `json:"max_surge"`
	HostGrace      *int64 `json:"host_grace"`
	Unhealthy      *int64 `json:"unhealthy_after"`
	Start          *int64 `json:"start_within"`
	RollOnConfig   *bool  `json:"roll_on_config"`
}

func (b *changedGroupBody) command(scope string) *messages.UpdateGroup {
	m := &messages.UpdateGroup{
		Scope: scope, Desired: b.Desired, MinHealthy: b.MinHealthy, MaxUnavailable: b.MaxUnavailable, MaxSurge: b.MaxSurge,
		RollOnConfig: b.RollOnConfig,
	}
	for _, d := range []struct {
		seconds *int64
		to      **int64
	}{{b.HostGrace, &m.HostGraceMs}, {b.Unhealthy, &m.UnhealthyMs}, {b.Start, &m.StartMs}} {
		if d.seconds != nil {
			ms := milliseconds(*d.seconds)
			*d.to = &ms
		}
	}
	return m
}

// milliseconds of so many seconds. What is too many stays so: the group refuses it.
func milliseconds(seconds int64) int64 {
	const most = math.MaxInt64 / 1000
	return 1000 * min(max(seconds, -1), most)
}

// templateBody is what the members are made of: of a new group all, of a roll what
// is to change. References are ids.
type templateBody struct {
	Flavor      *string             `json:"flavor"`
	Image       *string             `json:"image"`
	Networks    *[]string           `json:"networks"` // of a new group: null is the only one that the project has
	KeyName     *string             `json:"key_name"`
	UserData    *string             `json:"user_data"` // in base 64
	Metadata    *map[string]*string `json:"metadata"`  // of a roll: merged; null removes
	Tags        *[]string           `json:"tags"`
	Zone        *string             `json:"availability_zone"`
	ConfigDrive *bool               `json:"config_drive"`
	Description *string             `json:"description"`
}

// resolve puts into c what b says, with what it refers to looked up as for any
// order of a server by the same caller.
func (h handlers) resolve(r *api.Request, c *messages.CreateInstance, b templateBody, fresh bool) (err error) {
	ctx, p := r.Context(), r.Principal
	desk := order.Desk{Cloud: h.cloud, Scope: p.Scope(), Project: p.ProjectID, User: p.UserID}
	assign(&c.AvailabilityZone, b.Zone)
	assign(&c.ConfigDrive, b.ConfigDrive)
	assign(&c.Description, b.Description)
	assign(&c.Tags, b.Tags)
	if b.UserData != nil {
		if c.UserData, err = base64.StdEncoding.DecodeString(*b.UserData); err != nil {
			return api.Refuse(messages.Invalid, "User data needs to be valid base 64.")
		}
	}
	mergeMetadata(c, b.Metadata)
	if err := desk.Metadata(ctx, len(c.Metadata)); err != nil {
		return err
	}
	if fresh && (b.Flavor == nil || b.Image == nil) {
		return api.Refuse(messages.Invalid, "A group needs a flavor and an image.")
	}
	if b.Flavor != nil {
		if c.Flavor, err = desk.Flavor(ctx, *b.Flavor); err != nil {
			return err
		}
	}
	image := c.Image.GetId()
	if assign(&image, b.Image); b.Flavor != nil || b.Image != nil { // one has to fit the other
		if c.Image, err = desk.Image(ctx, image, c.Flavor); err != nil {
			return err
		}
	}
	if c.Networks, err = h.networks(r, desk, c.Networks, b.Networks, fresh); err != nil || b.KeyName == nil {
		return err
	}
	c.KeyName = *b.KeyName
	c.PublicKey, err = desk.PublicKey(ctx, c.KeyName)
	return err
}

// several is more than one: members share no port and no fixed address.
const several = 2

func (h handlers) networks(r *api.Request, desk order.Desk, now []*messages.NetworkRequest, asked *[]string, fresh bool) ([]*messages.NetworkRequest, error) {
	switch {
	case asked == nil && !fresh:
		return now, nil
	case asked == nil:
		n, err := desk.OnlyNetwork(r.Context())
		if n == nil || err != nil {
			return nil, err
		}
		return []*messages.NetworkRequest{{NetworkId: n.Id}}, nil
	}
	var all []order.Interface
	for _, id := range *asked {
		all = append(all, order.Interface{Network: id})
	}
	return desk.Networks(r.Context(), all, several)
}

func mergeMetadata(c *messages.CreateInstance, changes *map[string]*string) {
	if changes == nil {
		return
	}
	merged := map[string]string{}
	for k, v := range c.Metadata {
		merged[k] = v
	}
	for k, v := range *changes {
		if v == nil {
			delete(merged, k)
			continue
		}
		merged[k] = *v
	}
	if c.Metadata = merged; len(merged) == 0 {
		c.Metadata = nil
	}
}

func assign[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}
