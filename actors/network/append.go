package network

import (
	"net/netip"

	"github.com/troupe-cloud/troupe/messages/encode"
)

// AppendJSON is encode.Appender's: network and port are written whenever an
// address is given out. A field added to State, Subnet or Port has to be added
// here; a test compares with encoding/json.
func (s State) AppendJSON(b []byte) ([]byte, error) {
	o := encode.Open(b)
	o.Text("ID", s.ID)
	o.Text("Name", s.Name)
	o.Text("ProjectID", s.ProjectID)
	o.Text("Description", s.Description)
	o.Bool("Shared", s.Shared)
	o.Bool("Down", s.Down)
	o.Bool("Deleted", s.Deleted)
	o.Int("MTU", int64(s.MTU))
	o.Int("CreatedAt", s.CreatedAt)
	o.Int("UpdatedAt", s.UpdatedAt)
	encode.Values(&o, "Subnets", s.Subnets)
	encode.Value(&o, "Graves", s.Graves)
	return o.Close()
}

// AppendJSON is encode.Appender's.
func (sub Subnet) AppendJSON(b []byte) ([]byte, error) {
	o := encode.Open(b)
	o.Text("ID", sub.ID)
	o.Text("Name", sub.Name)
	o.Text("Description", sub.Description)
	o.Text("CIDR", prefixText(sub.CIDR))
	o.Uint("Gateway", uint64(sub.Gateway))
	o.Uint("First", uint64(sub.First))
	o.Uint("Last", uint64(sub.Last))
	o.Uint("Next", uint64(sub.Next))
	o.Uint("Free", uint64(sub.Free))
	o.Int("Ports", int64(sub.Ports))
	o.Texts("Nameservers", sub.Nameservers)
	o.Bool("DHCP", sub.DHCP)
	o.Int("CreatedAt", sub.CreatedAt)
	o.Int("UpdatedAt", sub.UpdatedAt)
	return o.Close()
}

// AppendJSON is encode.Appender's.
func (p Port) AppendJSON(b []byte) ([]byte, error) {
	o := encode.Open(b)
	o.Text("ID", p.ID)
	o.TextIf("Name", p.Name)
	o.TextIf("Description", p.Description)
	o.Text("ProjectID", p.ProjectID)
	o.TextIf("InstanceID", p.InstanceID)
	o.Text("NetworkID", p.NetworkID)
	o.Text("NetworkName", p.NetworkName)
	o.Text("SubnetID", p.SubnetID)
	o.Text("MAC", p.MAC)
	o.Text("Address", addressText(p.Address))
	o.Int("PrefixLength", int64(p.PrefixLength))
	o.BoolIf("Down", p.Down)
	o.BoolIf("Keep", p.Keep)
	o.Int("CreatedAt", p.CreatedAt)
	o.Int("UpdatedAt", p.UpdatedAt)
	o.BoolIf("Lean", p.Lean)
	return o.Close()
}

// AppendJSON is encode.Appender's.
func (b block) AppendJSON(to []byte) ([]byte, error) { return encode.AppendBytes(to, b), nil }

// addressText is what a's MarshalText says.
func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// prefixText is what p's MarshalText says.
func prefixText(p netip.Prefix) string {
	if p == (netip.Prefix{}) {
		return ""
	}
	return p.String()
}
