package compute

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// schemas are all there are.
var schemas = slices.Concat([]*schema{
	createServerSchema, updateServerSchema, putMetadataSchema, putMetaSchema, putTagsSchema, rebootSchema, startSchema,
	stopSchema, forceDeleteSchema, consoleSchema, createFlavorSchema, updateFlavorSchema, createSpecsSchema,
	updateSpecSchema, createKeypairSchema, putServiceSchema, oldServiceSchema, updateQuotaSchema,
}, []*schema{accessSchemas["addTenantAccess"], accessSchemas["removeTenantAccess"]})

func TestSchemasCompile(t *testing.T) {
	for _, s := range schemas {
		for minor := MinVersion.Minor; minor <= MaxVersion.Minor; minor++ {
			if s.at(minor) == nil {
				t.Errorf("%s at 2.%d", s.name, minor)
			}
		}
		if !slices.IsSorted(s.steps) {
			t.Errorf("the steps of %s are not in order: %v", s.name, s.steps)
		}
	}
}

// TestStepsTellOfEveryChange: a version in which a schema's document differs
// from the one before must be among its steps.
func TestStepsTellOfEveryChange(t *testing.T) {
	for _, s := range schemas {
		before := fmt.Sprint(s.build(MinVersion.Minor))
		for minor := MinVersion.Minor + 1; minor <= MaxVersion.Minor; minor++ {
			now := fmt.Sprint(s.build(minor))
			if now != before && !slices.Contains(s.steps, minor) {
				t.Errorf("%s changes at 2.%d, which is no step of it", s.name, minor)
			}
			before = now
		}
	}
}

func TestEveryStateHasAWord(t *testing.T) {
	for n, name := range messages.VMState_name {
		if _, ok := vmStates[messages.VMState(n)]; !ok && n != 0 {
			t.Errorf("%s has no row in vmStates", name)
		}
	}
	for n, name := range messages.TaskState_name {
		if _, ok := taskNames[messages.TaskState(n)]; !ok && n != 0 {
			t.Errorf("%s has no row in taskNames", name)
		}
	}
}

func TestStatus(t *testing.T) {
	for want, v := range map[string]*messages.InstanceView{
		"UNKNOWN":     {},
		"BUILD":       {VmState: messages.VMState_VM_STATE_BUILDING, TaskState: messages.TaskState_TASK_STATE_SPAWNING},
		"ACTIVE":      {VmState: messages.VMState_VM_STATE_ACTIVE, TaskState: messages.TaskState_TASK_STATE_POWERING_OFF},
		"REBOOT":      {VmState: messages.VMState_VM_STATE_ACTIVE, TaskState: messages.TaskState_TASK_STATE_REBOOTING},
		"HARD_REBOOT": {VmState: messages.VMState_VM_STATE_ACTIVE, TaskState: messages.TaskState_TASK_STATE_REBOOTING_HARD},
		"SHUTOFF":     {VmState: messages.VMState_VM_STATE_STOPPED, TaskState: messages.TaskState_TASK_STATE_POWERING_ON},
		"ERROR":       {VmState: messages.VMState_VM_STATE_ERROR, TaskState: messages.TaskState_TASK_STATE_DELETING},
		"DELETED":     {VmState: messages.VMState_VM_STATE_DELETED},
	} {
		if got := status(v); got != want {
			t.Errorf("%v is %s, want %s", v, got, want)
		}
	}
}

func TestTail(t *testing.T) {
	for _, tt := range []struct {
		text string
		n    int
		want string
	}{
		{"a\nb\nc\n", 2, "b\nc\n"}, {"a\nb\nc", 2, "b\nc"}, {"a\nb", 9, "a\nb"}, {"a", 0, ""}, {"", 3, ""}, {"a\nb", -1, "a\nb"},
	} {
		if got := tail(tt.text, tt.n); got != tt.want {
			t.Errorf("the last %d lines of %q are %q, want %q", tt.n, tt.text, got, tt.want)
		}
	}
}

func TestRepr(t *testing.T) {
	for want, v := range map[string]any{
		"None": nil, "True": true, "'a'": "a", `"it's"`: "it's", `'\n'`: "\n",
		"['a', None]": []any{"a", nil}, "{'a': False, 'b': [1.5]}": map[string]any{"b": []any{1.5}, "a": false},
	} {
		if got := repr(v); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := repr(strings.Repeat("é", 4000)); len(got) > 2*maxEchoed {
		t.Errorf("%d bytes of a refused value are shown", len(got))
	}
}

func TestSplitZone(t *testing.T) {
	for in, want := range map[string][2]string{
		"": {"", ""}, "a": {"a", ""}, "a:h": {"a", "h"}, ":h": {"", "h"}, "a::n": {"a", "n"}, "a:h:n": {"a", "h"},
	} {
		zone, host, err := splitZone(in)
		if err != nil || zone != want[0] || host != want[1] {
			t.Errorf("%q: %q %q %v", in, zone, host, err)
		}
	}
}

func TestCheckSpec(t *testing.T) {
	for key, value := range map[string]string{
		"free": "x", "own:key": "x", "hw:cpu_policy": "shared", "hw:numa_mem.0": "64", "quota:cpu_quota": "-1",
		"trait:HW_CPU_X86_AVX2": "required", "trait1:CUSTOM_A": "forbidden", "resources1:VCPU": "2", "os:secure_boot": "required",
		"aggregate_instance_extra_specs:ssd": "true", "hw_rng:allowed": "True", "capabilities:cpu_info:features": "x",
	} {
		if err := checkSpec(key, value); err != nil {
			t.Errorf("%s=%s: %v", key, value, err)
		}
	}
	for key, value := range map[string]string{
		"hw:nothing": "1", "hw:cpu_policy": "mine", "hw:numa_nodes": "0", "quota:vif_sideways_peak": "1", "trait:x": "required",
		"hw_rng:allowed": "perhaps", "hw:cpu_realtime_mask": "x", "powervm:min_mem": "1",
	} {
		if err := checkSpec(key, value); api.Status(err) != 400 {
			t.Errorf("%s=%s: %v", key, value, err)
		}
	}
}

func request(query string, minor int, roles ...string) *api.Request {
	r := httptest.NewRequest("GET", "/compute/v2.1/servers", nil)
	r.URL.RawQuery = query
	return &api.Request{
		Request: r, Version: api.Version{Major: 2, Minor: minor},
		Principal: &api.Principal{UserID: "u", ProjectID: "p", Roles: roles},
	}
}

func TestFilters(t *testing.T) {
	v := &messages.InstanceView{
		Id: "i", Name: "Web-1", ProjectId: "p", UserId: "u", Host: "h", KeyName: "k", VmState: messages.VMState_VM_STATE_ACTIVE,
		PowerState: 1, Flavor: &messages.Flavor{Id: "f"}, Image: &messages.ImageRef{Id: "img"}, Tags: []string{"a", "b"},
		Ports: []*messages.Port{{Address: "10.0.0.7"}}, UpdatedAt: 1e18, ConfigDrive: true, AvailabilityZone: "z",
	}
	for _, tt := range []struct {
		query string
		minor int
		admin bool
		want  bool
	}{
		{"name=web", 1, false, true}, {"name=^1", 1, false, false}, {"status=active", 1, false, true},
		{"status=BUILD", 1, false, false}, {"status=BUILD&status=ACTIVE", 1, false, true},
		{"flavor=f", 1, false, true}, {"flavor=g", 1, false, false}, {"image=img", 1, false, true},
		{"host=x", 1, false, true}, {"host=x", 1, true, false}, {"host=h", 1, true, true},
		{"ip=10.0", 1, false, true}, {"ip=10.1", 1, false, false}, {"ip6=10", 5, false, false},
		{"tags=a,b", 26, false, true}, {"tags=a,c", 26, false, false}, {"tags-any=a,c", 26, false, true},
		{"not-tags=a,b", 26, false, false}, {"not-tags=a,c", 26, false, true}, {"not-tags-any=a,c", 26, false, false},
		{"tags=c", 25, false, true}, {"key_name=x", 82, false, true}, {"key_name=x", 83, false, false},
		{"power_state=1", 83, false, true}, {"power_state=4", 83, false, false}, {"config_drive=True", 83, false, true},
		{"locked=true", 73, false, false}, {"locked=false", 73, false, true}, {"vm_state=active", 83, false, true},
		{"changes-since=2001-01-01T00:00:00Z", 1, false, true}, {"changes-since=2999-01-01", 1, false, false},
		{"changes-before=2001-01-01", 66, false, false}, {"availability_zone=z", 83, false, true}, {"user_id=v", 83, false, false},
	} {
		var roles []string
		if tt.admin {
			roles = []string{"admin"}
		}
		q, err := serverQueryOf(request(tt.query, tt.minor, roles...), 10)
		if err != nil {
			t.Errorf("%s: %v", tt.query, err)
		} else if got := q.match(v) && !q.nothing; got != tt.want {
			t.Errorf("%s at 2.%d: %v, want %v", tt.query, tt.minor, got, tt.want)
		}
	}
}

func TestSorts(t *testing.T) {
	vs := []*messages.InstanceView{
		{Id: "1", Name: "b", CreatedAt: 1}, {Id: "2", Name: "a", CreatedAt: 2}, {Id: "3", Name: "a", CreatedAt: 3},
	}
	for query, want := range map[string]string{
		"": "321", "sort_key=display_name&sort_dir=asc": "321", "sort_key=display_name": "132",
		"sort_key=display_name&sort_key=created_at&sort_dir=asc&sort_dir=asc": "231", "sort_dir=asc": "123",
		"sort_key=uuid&sort_dir=asc": "123", "sort_key=vcpus": "321",
	} {
		q, err := serverQueryOf(request(query, 1), 10)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		got := slices.Clone(vs)
		slices.SortStableFunc(got, q.compare)
		var ids strings.Builder
		for _, v := range got {
			ids.WriteString(v.Id)
		}
		if ids.String() != want {
			t.Errorf("%q: %s, want %s", query, ids.String(), want)
		}
	}
}

// TestFiltersAreKnown: a parameter that is both a filter and something else
// would be read twice.
func TestFiltersAreKnown(t *testing.T) {
	for _, name := range knownServerParams {
		if _, twice := serverFilters[name]; twice {
			t.Errorf("%s is a filter and a parameter", name)
		}
	}
	q := url.Values{}
	for name := range serverFilters {
		q.Set(name, "2020-01-01")
	}
	if err := checkServerParams(request(q.Encode(), MaxVersion.Minor), q); err != nil {
		t.Error(err)
	}
}
