package instance

import "github.com/troupe-cloud/troupe/messages/encode"

// AppendJSON is encode.Appender's: an instance is written at every step. A field
// added to State has to be added here; a test compares with encoding/json.
func (s State) AppendJSON(b []byte) ([]byte, error) {
	o := encode.Open(b)
	encode.Value(&o, "View", s.View)
	o.Int("Doing", int64(s.Doing))
	encode.Values(&o, "Networks", s.Networks)
	o.Uint("Order", s.Order)
	o.Int("Ordered", int64(s.Ordered))
	encode.Value(&o, "Fact", s.Fact)
	o.Int("Attempt", int64(s.Attempt))
	o.Texts("Tried", s.Tried)
	o.Bool("Clearing", s.Clearing)
	if s.Failed == nil {
		o.Null("Failed")
	} else {
		o.Any("Failed", s.Failed)
	}
	o.Bool("QuotaHeld", s.QuotaHeld)
	o.Bool("Hidden", s.Hidden)
	o.Text("ZoneAsked", s.ZoneAsked)
	o.Text("HostAsked", s.HostAsked)
	o.Text("AdminPassword", s.AdminPassword)
	o.Uint("Actions", uint64(s.Actions))
	if s.Evac != nil {
		o.Any("Evac", s.Evac)
	}
	if len(s.Left) > 0 {
		o.Any("Left", s.Left)
	}
	if s.Answers != 0 {
		o.Uint("Answers", uint64(s.Answers))
	}
	if len(s.Said) > 0 {
		o.Any("Said", s.Said)
	}
	if s.Words != 0 {
		o.Uint("Words", s.Words)
	}
	if s.Drain != nil {
		o.Any("Drain", s.Drain)
	}
	o.BoolIf("HostDown", s.HostDown)
	o.TextIf("Followed", s.Followed)
	if s.Action != nil {
		encode.Value(&o, "Action", s.Action)
	}
	return o.Close()
}

// AppendJSON is encode.Appender's.
func (n Network) AppendJSON(b []byte) ([]byte, error) {
	o := encode.Open(b)
	o.Text("ID", n.ID)
	encode.Values(&o, "Requests", n.Requests)
	o.Bool("Held", n.Held)
	o.Bool("Got", n.Got)
	return o.Close()
}

// AppendJSON is encode.Appender's.
func (f Fact) AppendJSON(b []byte) ([]byte, error) {
	o := encode.Open(b)
	o.Uint("Order", f.Order)
	o.Uint("Seq", f.Seq)
	return o.Close()
}
