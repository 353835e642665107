package config

import "github.com/troupe-cloud/troupe/messages/encode"

// AppendJSON is encode.Appender's: a key is written at every publish. A field added
// to State has to be added here; a test compares with encoding/json.
func (s State) AppendJSON(b []byte) ([]byte, error) {
	o := encode.Open(b)
	o.TextIf("ID", s.ID)
	o.IntIf("Version", s.Version)
	o.IntIf("ContentVersion", s.ContentVersion)
	if s.Formal != nil {
		encode.Value(&o, "Formal", *s.Formal)
	}
	encode.Value(&o, "Labels", s.Labels)
	if len(s.Grays) > 0 {
		encode.Values(&o, "Grays", s.Grays)
	}
	o.Int("First", s.First)
	o.Int("Last", s.Last)
	if len(s.Days) > 0 {
		encode.Values(&o, "Days", s.Days)
	}
	return o.Close()
}

// AppendJSON is encode.Appender's.
func (p Published) AppendJSON(b []byte) ([]byte, error) {
	o := encode.Open(b)
	p.fields(&o)
	return o.Close()
}

func (p Published) fields(o *encode.Object) {
	o.Text("MD5", p.MD5)
	o.Int("Size", p.Size)
	o.TextIf("DataKey", p.DataKey)
	o.Int("ModifiedAt", p.ModifiedAt)
	o.IntIf("CreatedAt", p.CreatedAt)
	o.TextIf("CreatedBy", p.CreatedBy)
	o.TextIf("From", p.From)
	o.TextIf("Type", p.Type)
}

// AppendJSON is encode.Appender's.
func (g Gray) AppendJSON(b []byte) ([]byte, error) {
	o := encode.Open(b)
	o.Any("Rule", g.Rule) // gray versions are rare
	g.fields(&o)
	return o.Close()
}

// AppendJSON is encode.Appender's.
func (l Labels) AppendJSON(b []byte) ([]byte, error) {
	o := encode.Open(b)
	o.TextIf("Type", l.Type)
	o.TextsIf("Tags", l.Tags)
	o.TextIf("App", l.App)
	o.TextIf("Description", l.Description)
	o.TextIf("Use", l.Use)
	o.TextIf("Effect", l.Effect)
	o.TextIf("Schema", l.Schema)
	return o.Close()
}

// AppendJSON is encode.Appender's.
func (d Day) AppendJSON(b []byte) ([]byte, error) {
	o := encode.Open(b)
	o.Int("Day", d.Day)
	o.Int("First", d.First)
	return o.Close()
}
