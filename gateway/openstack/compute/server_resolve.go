package compute

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/gateway/order"
	"github.com/troupe-cloud/troupe/messages"
)

// resolve turns the references of a body into what they mean, and refuses what
// cannot be.
func (a *API) resolve(r *api.Request, body createServerBody) (o serverOrder, err error) {
	s := &body.Server
	if err := refuseUnserved(body); err != nil {
		return o, err
	}
	if o.min, o.max, err = a.counts(s.MinCount, s.MaxCount); err != nil {
		return o, err
	}
	p := r.Principal
	c := &messages.CreateInstance{
		Name: strings.TrimSpace(s.Name), ProjectId: p.ProjectID, UserId: p.UserID, RequestId: r.ID,
		Metadata: s.Metadata, Tags: unique(s.Tags), AdminPassword: s.AdminPass,
		ConfigDrive: bool(s.ConfigDrive), Hostname: s.Hostname, KeyName: s.KeyName,
		DiskConfig: s.DiskConfig, AccessIpv4: s.AccessIPv4, AccessIpv6: s.AccessIPv6,
		Hints: hints(body),
	}
	o.command, o.named = c, s.Hostname != ""
	if o.named && o.max > 1 {
		return o, badRequest("Unable to allocate a single hostname to multiple instances")
	}
	describe(r, c, s.Description)
	if c.UserData, err = decodeBase64(s.UserData); err != nil {
		return o, badRequest("User data needs to be valid base 64.")
	}
	if err := checkGroups(s.SecurityGroups); err != nil {
		return o, err
	}
	order.Complete(c)
	return o, a.resolveReferences(r, c, body, o.max)
}

// resolveReferences looks up what the body names, each in its own actor.
func (a *API) resolveReferences(r *api.Request, c *messages.CreateInstance, body createServerBody, count int) (err error) {
	s := &body.Server
	if err := a.desk(r).Metadata(r.Context(), len(c.Metadata)); err != nil {
		return err
	}
	if err := a.place(r, c, s.Zone, s.Host, s.HypervisorHostname); err != nil {
		return err
	}
	imageID, err := rootImage(s.ImageRef, s.BlockDevices)
	if err != nil {
		return err
	}
	if c.Networks, err = a.networks(r, s.Networks, count); err != nil {
		return err
	}
	return a.lookUp(r, c, string(s.FlavorRef), imageID)
}

// describe gives the server its description: before 2.19 that was its name.
func describe(r *api.Request, c *messages.CreateInstance, said *string) {
	switch {
	case !r.Version.AtLeast(19):
		c.Description = c.Name
	case said != nil:
		c.Description = *said
	}
}

// refuseUnserved says no to what the API has and this cloud has not, rather
// than build something else than was asked for.
func refuseUnserved(body createServerBody) error {
	s := &body.Server
	switch {
	case len(s.Personality) > 0:
		return badRequest("Personality files are not supported. Use user_data.")
	case len(s.TrustedCertificates) > 0:
		return badRequest("Trusted image certificates are not supported.")
	case len(s.BlockDevicesV1) > 0:
		return badRequest("Block Device Mapping is Invalid: volumes are not supported.")
	}
	for _, n := range s.Networks.List {
		if n.Tag != "" {
			return badRequest("Network interface tags are not supported.")
		}
	}
	for _, h := range []map[string]any{body.Hints, body.OldHints} {
		if group, ok := h["group"]; ok {
			return badRequest("Instance group %s could not be found.", shown(group))
		}
	}
	return nil
}

// counts are the least and the most servers to create.
func (a *API) counts(least, most *flexInt) (low, high int, err error) {
	low = 1
	if least != nil {
		low = int(*least)
	}
	high = low
	if most != nil {
		high = int(*most)
	}
	if low > high {
		return 0, 0, badRequest("min_count must be <= max_count")
	}
	if high > a.cfg.MaxServers {
		return 0, 0, badRequest("max_count must be <= %d", a.cfg.MaxServers)
	}
	return low, high, nil
}

// checkGroups: there is only the default group as yet.
func checkGroups(asked []securityGroup) error {
	for _, g := range asked {
		if g.Name != order.DefaultGroup && g.Name != "" {
			return badRequest("Security group %s not found.", clip(g.Name))
		}
	}
	return nil
}

// hints are the scheduler hints, whatever is in them, as text.
func hints(body createServerBody) map[string]string {
	given := body.Hints
	if given == nil {
		given = body.OldHints
	}
	if len(given) == 0 {
		return nil
	}
	out := make(map[string]string, len(given))
	for k, v := range given {
		if s, ok := v.(string); ok {
			out[k] = s
		} else if raw, err := json.Marshal(v); err == nil {
			out[k] = string(raw)
		}
	}
	return out
}

func unique(tags []string) []string {
	tags = slices.Clone(tags)
	slices.Sort(tags)
	return slices.Compact(tags)
}
