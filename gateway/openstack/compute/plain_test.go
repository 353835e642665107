package compute

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const anImage = "11111111-1111-4111-8111-111111111111"

// What clients send is seen to be right without the validator.
func TestPlain(t *testing.T) {
	t.Parallel()
	minimal := `"name":"n","flavorRef":"1","imageRef":"` + anImage + `"`
	for name, tt := range map[string]struct {
		schema *schema
		minor  int
		body   string
		want   verdict
	}{
		"the least":             {createServerSchema, 1, `{"server":{` + minimal + `}}`, fits},
		"with space":            {createServerSchema, 1, " {\n\t\"server\" : { " + minimal + " } }\r\n", fits},
		"networks: auto":        {createServerSchema, 96, `{"server":{` + minimal + `,"networks":"auto"}}`, fits},
		"a network":             {createServerSchema, 96, `{"server":{` + minimal + `,"networks":[{"uuid":"` + anImage + `"}]}}`, fits},
		"openstack's own":       {createServerSchema, 96, `{"server":{` + minimal + `,"min_count":1,"max_count":2,"networks":"none","block_device_mapping_v2":[{"uuid":"` + anImage + `","boot_index":0,"source_type":"image","destination_type":"local","delete_on_termination":true}]}}`, fits},
		"metadata":              {createServerSchema, 96, `{"server":{` + minimal + `,"networks":"none","metadata":{"a b":"c","d":""},"tags":["x"],"user_data":"YQ==","config_drive":true}}`, fits},
		"hints":                 {createServerSchema, 96, `{"server":{` + minimal + `,"networks":"none"},"os:scheduler_hints":{"a":[1,{"b":null}]}}`, fits},
		"networks left out":     {createServerSchema, 96, `{"server":{` + minimal + `}}`, unsure},
		"an unknown property":   {createServerSchema, 1, `{"server":{` + minimal + `,"x":1}}`, unsure},
		"another case":          {createServerSchema, 1, `{"server":{` + minimal + `,"Tags":[]}}`, unsure},
		"twice":                 {createServerSchema, 1, `{"server":{` + minimal + `,"name":"m"}}`, unsure},
		"another alphabet":      {createServerSchema, 1, `{"server":{` + minimal + `,"key_name":"ключ"}}`, unsure},
		"an escape":             {createServerSchema, 1, `{"server":{` + minimal + `,"key_name":"\u0041"}}`, unsure},
		"a fraction":            {createServerSchema, 1, `{"server":{` + minimal + `,"min_count":1.0}}`, unsure},
		"a count as text":       {createServerSchema, 1, `{"server":{` + minimal + `,"min_count":"2"}}`, unsure},
		"more behind it":        {createServerSchema, 1, `{"server":{` + minimal + `}} {}`, unsure},
		"half of it":            {createServerSchema, 1, `{"server":{` + minimal, unsure},
		"no object":             {createServerSchema, 1, `[]`, misfit},
		"nothing":               {createServerSchema, 1, ``, unsure},
		"a stop":                {stopSchema, 96, `{"os-stop":null}`, fits},
		"a reboot":              {rebootSchema, 96, `{"reboot":{"type":"SOFT"}}`, fits},
		"a reboot of what sort": {rebootSchema, 96, `{"reboot":{"type":"soft-ish"}}`, unsure},
	} {
		if got := tt.schema.at(tt.minor).plain.plain([]byte(tt.body)); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

// FuzzPlain: what is said of a plain body is what the validator says.
func FuzzPlain(f *testing.F) {
	for _, body := range []string{
		`{"server":{"name":"n","flavorRef":1,"imageRef":"` + anImage + `","networks":[{"uuid":"` + anImage + `","fixed_ip":"10.0.0.1"}],"min_count":"2"}}`,
		`{"server":{"name":"n","flavorRef":"1","imageRef":"","networks":"none","config_drive":"yes","user_data":"YQ=="},"os:scheduler_hints":{"a":[1]}}`,
		`{"server":{"name":" ","metadata":{"a/b":"c"},"min_count":-0,"accessIPv4":"1.2.3.4"}}`,
		`{"server":{"name":"n","flavorRef":"1","block_device_mapping_v2":[{"source_type":"image","boot_index":"0"}],"tags":[]}}`,
		`{"flavor":{"name":"n","ram":64,"vcpus":1,"disk":0,"id":"7","rxtx_factor":1,"swap":0}}`,
		`{"os-getConsoleOutput":{"length":-1}}`, `{"os-start":null}`, `{"reboot":{"type":"HARD"}}`,
		`{"metadata":{"a":"b"}}`, `{"meta":{"a":"b"}}`, `{"tags":["a","b"]}`, `{"extra_specs":{"a":1}}`, `[]`, `{"server":{}}`,
	} {
		for _, minor := range []int{1, 37, 96} {
			f.Add([]byte(body), minor)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte, minor int) {
		minor = max(MinVersion.Minor, min(minor, MaxVersion.Minor))
		tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil || !json.Valid(raw) {
			return
		}
		for _, s := range schemas {
			form := s.at(minor)
			err := form.full.Validate(tree)
			switch v := form.plain.plain(raw); {
			case v == fits && err != nil:
				t.Errorf("%s takes %s, and the validator says %v", s.name, raw, err)
			case v == misfit && err == nil:
				t.Errorf("%s refuses %s, and the validator does not", s.name, raw)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	raw := []byte(`{"server":{"name":"bench","imageRef":"` + anImage + `","flavorRef":"1","networks":"auto"}}`)
	for name, read := range map[string]func() (createServerBody, error){
		"plain": func() (createServerBody, error) { return parse[createServerBody](raw, createServerSchema, 96) },
		"fully": func() (createServerBody, error) {
			return parseFully[createServerBody](raw, createServerSchema.at(96))
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
