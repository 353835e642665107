package host

import "github.com/troupe-cloud/troupe/messages/encode"

// AppendJSON is encode.Appender's: host and claim are written at every order. A field
// added to State or Claim has to be added here; a test compares with encoding/json.
func (c Claim) AppendJSON(b []byte) ([]byte, error) {
	o := encode.Open(b)
	o.IntIf("VCPUs", int64(c.VCPUs))
	o.IntIf("RAMMiB", c.RAMMiB)
	o.IntIf("DiskGiB", c.DiskGiB)
	o.Uint("Order", c.Order)
	o.Int("Kind", int64(c.Kind))
	o.BoolIf("Working", c.Working)
	if c.Spec != nil {
		encode.Value(&o, "Spec", c.Spec)
	}
	o.IntIf("GraceMS", c.GraceMS)
	o.IntIf("Power", int64(c.Power))
	o.BoolIf("Absent", c.Absent)
	o.UintIf("Seq", c.Seq)
	o.BoolIf("Untold", c.Untold)
	o.BoolIf("Looking", c.Looking)
	o.BoolIf("Follow", c.Follow)
	o.BoolIf("Stray", c.Stray)
	o.UintIf("Refused", c.Refused)
	o.IntIf("ErrorKind", int64(c.ErrorKind))
	o.TextIf("Error", c.Error)
	return o.Close()
}

// AppendJSON is encode.Appender's.
func (s State) AppendJSON(b []byte) ([]byte, error) {
	o := encode.Open(b)
	o.Text("Name", s.Name)
	o.Int("VCPUs", int64(s.VCPUs))
	o.Int("RAMMiB", s.RAMMiB)
	o.IntIf("DiskGiB", s.DiskGiB)
	o.Int("Instances", int64(s.Instances))
	o.IntIf("Working", int64(s.Working))
	o.IntIf("Untold", int64(s.Untold))
	o.IntIf("Followers", int64(s.Followers))
	o.BoolIf("Kept", s.Kept)
	if !s.Graves.IsZero() {
		encode.Value(&o, "Graves", s.Graves)
	}
	return o.Close()
}
