package compute

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/gateway/order"
	"github.com/troupe-cloud/troupe/messages"
)

// refusedWell: whatever comes in, an error is the caller's and says why.
func refusedWell(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if s := api.Status(err); s < 400 || s >= 500 {
		t.Errorf("%v is answered %d", err, s)
	}
	if s := messages.Sentence(err); s == "" || !utf8.ValidString(s) || len(s) > 8*maxEchoed {
		t.Errorf("a sentence of %d bytes: %q", len(s), s)
	}
}

func FuzzCreateServer(f *testing.F) {
	image := "11111111-1111-4111-8111-111111111111"
	f.Add([]byte(`{"server":{"name":"n","flavorRef":1,"imageRef":"`+image+`","networks":[{"uuid":"`+image+`"}],"min_count":"2"}}`), 90)
	f.Add([]byte(`{"server":{"name":"n","flavorRef":"1","imageRef":"","networks":"none","config_drive":"yes","user_data":"YQ=="},"os:scheduler_hints":{"a":[1]}}`), 37)
	f.Add([]byte(`{"server":{"name":" ","metadata":{"a/b":"c"},"min_count":1e999}}`), 1)
	f.Add([]byte(`{"server":{"block_device_mapping_v2":[{"source_type":"image","boot_index":"0"}]}}`), 67)
	f.Fuzz(func(t *testing.T, raw []byte, minor int) {
		minor = max(MinVersion.Minor, min(minor, MaxVersion.Minor))
		body, err := parse[createServerBody](raw, createServerSchema, minor)
		refusedWell(t, err)
		if err != nil {
			return
		}
		if n := utf8.RuneCountInString(body.Server.Name); n < 1 || n > maxName {
			t.Errorf("a name of %d characters", n)
		}
		a := New(Config{})
		low, high, err := a.counts(body.Server.MinCount, body.Server.MaxCount)
		refusedWell(t, err)
		if err == nil && (low < 1 || high < low || high > DefaultMaxServers) {
			t.Errorf("%d to %d servers", low, high)
		}
		_, err = rootImage(body.Server.ImageRef, body.Server.BlockDevices)
		refusedWell(t, err)
		_, _, err = splitZone(body.Server.Zone)
		refusedWell(t, err)
		if h := order.Hostname(body.Server.Name, "id"); len(h) > maxHostname || h == "" || strings.ToLower(h) != h {
			t.Errorf("host name %q", h)
		}
		hints(body)
	})
}

func FuzzFlavor(f *testing.F) {
	f.Add([]byte(`{"flavor":{"name":"n","ram":"64","vcpus":1,"disk":0,"id":7,"rxtx_factor":"1.5"}}`), 1)
	f.Add([]byte(`{"flavor":{"name":"n","ram":1.0,"vcpus":2147483647,"disk":0,"swap":1e3,"description":null}}`), 55)
	f.Fuzz(func(t *testing.T, raw []byte, minor int) {
		minor = max(MinVersion.Minor, min(minor, MaxVersion.Minor))
		body, err := parse[createFlavorBody](raw, createFlavorSchema, minor)
		refusedWell(t, err)
		if err != nil {
			return
		}
		m := body.flavor()
		if m.Vcpus < 1 || m.RamMib < 1 || m.DiskGib < 0 || m.SwapMib < 0 || m.Id == "" || m.RxtxFactor < 0 {
			t.Errorf("flavor %v", m)
		}
	})
}

func FuzzServerQuery(f *testing.F) {
	f.Add("name=a&status=ACTIVE&limit=3&marker=x", 1, true)
	f.Add("all_tenants=1&sort_key=uuid&sort_dir=asc&tags=a,b", 26, true)
	f.Add("changes-since=2020-01-01T00:00:00Z&changes-before=x&ip=(", 90, false)
	f.Add("%zz&%ff=1", 75, false)
	f.Fuzz(func(t *testing.T, query string, minor int, admin bool) {
		minor = max(MinVersion.Minor, min(minor, MaxVersion.Minor))
		roles := []string{"member"}
		if admin {
			roles = []string{"admin"}
		}
		q, err := serverQueryOf(request(query, minor, roles...), 100)
		refusedWell(t, err)
		if err != nil {
			return
		}
		if q.page.Limit < 1 || q.page.Limit > 100 {
			t.Errorf("a page of %d", q.page.Limit)
		}
		if !admin && q.project != "p" {
			t.Errorf("a user lists the servers of project %q", q.project)
		}
		v := &messages.InstanceView{Name: "n", Ports: []*messages.Port{{Address: "10.0.0.1"}}}
		q.match(v)
		q.compare(v, v)
	})
}

func FuzzActionBodies(f *testing.F) {
	f.Add([]byte(`{"os-getConsoleOutput":{"length":"7"}}`))
	f.Add([]byte(`{"reboot":{"type":"SOFT"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, s := range []*schema{rebootSchema, startSchema, consoleSchema, putMetadataSchema, putTagsSchema, updateSpecSchema} {
			_, err := parse[any](raw, s, 96)
			refusedWell(t, err)
		}
	})
}
