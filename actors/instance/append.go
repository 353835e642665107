package instance

import "github.com/troupe-cloud/troupe/messages/encode"

// AppendJSON is encode.Appender's: an instance is written at every step. A field
// added to State has to be added here; a test compares with encoding/json.
func (s State) AppendJSON(b []byte) ([]byte, error) {
	o := encode.Open(b)
	encode.Value(&o, "View", s.View)
	o.Int("Doing", int64(s.Doing))
	if len(s.Networks) > 0 {
		encode.Values(&o, "Networks", s.Networks)
	}
	o.UintIf("Order", s.Order)
	o.IntIf("Ordered", int64(s.Ordered))
	if s.Fact != (Fact{}) {
		encode.Value(&o, "Fact", s.Fact)
	}
	o.Int("Attempt", int64(s.Attempt))
	o.TextsIf("Tried", s.Tried)
	o.BoolIf("Clearing", s.Clearing)
	if s.Failed != nil {
		o.Any("Failed", s.Failed)
	}
	o.BoolIf("QuotaHeld", s.QuotaHeld)
	o.BoolIf("Hidden", s.Hidden)
	o.TextIf("ZoneAsked", s.ZoneAsked)
	o.TextIf("HostAsked", s.HostAsked)
	o.TextIf("AdminPassword", s.AdminPassword)
	o.Uint("Actions", uint64(s.Actions))
	if s.Evac != nil {
		o.Any("Evac", s.Evac)
	}
	if len(s.Left) > 0 {
		o.Any("Left", s.Left)
	}
	o.UintIf("Answers", uint64(s.Answers))
	if len(s.Said) > 0 {
		o.Any("Said", s.Said)
	}
	o.UintIf("Words", s.Words)
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
	o.BoolIf("Held", n.Held)
	o.BoolIf("Got", n.Got)
	return o.Close()
}

// AppendJSON is encode.Appender's.
func (f Fact) AppendJSON(b []byte) ([]byte, error) {
	o := encode.Open(b)
	o.Uint("Order", f.Order)
	o.Uint("Seq", f.Seq)
	return o.Close()
}
