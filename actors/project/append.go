package project

import "github.com/troupe-cloud/troupe/messages/encode"

// AppendJSON is encode.Appender's: project and share are written at every claim. A
// field added to State or Share has to be added here; a test compares with
// encoding/json.
func (s State) AppendJSON(b []byte) ([]byte, error) {
	o := encode.Open(b)
	if s.Limits == nil {
		o.Null("Limits")
	} else {
		o.Any("Limits", s.Limits)
	}
	o.Int("Instances", s.Instances)
	o.Int("Cores", s.Cores)
	o.Int("RAM", s.RAM)
	encode.Value(&o, "Graves", s.Graves)
	return o.Close()
}

// AppendJSON is encode.Appender's.
func (s Share) AppendJSON(b []byte) ([]byte, error) {
	o := encode.Open(b)
	o.Int("Cores", s.Cores)
	o.Int("RAMMiB", s.RAMMiB)
	return o.Close()
}
