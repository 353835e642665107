package compute_test

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/messages"
)

// with is the body of a POST /servers that is right but for what is given.
func with(fields string) string {
	return `{"server":{"name":"n","flavorRef":"1","imageRef":"` + smallImage + `","networks":"none",` + fields + `}}`
}

// TestCreateRefuses: one row, one mistake, and what the answer says of it.
func TestCreateRefuses(t *testing.T) {
	w := newWorld(t, 1)
	private := w.do("admin", "2.1", "POST", "/v2.1/flavors", `{"flavor":{"name":"p","id":"private","ram":1,"vcpus":1,"disk":1,"os-flavor-access:is_public":false}}`)
	if private.status != http.StatusOK {
		t.Fatal(string(private.body))
	}
	for name, tt := range map[string]struct {
		version, body string
		status        int
		says          string
	}{
		"no JSON":                {"2.90", `{"server":`, 400, "Malformed request body"},
		"two JSON texts":         {"2.90", `{} {}`, 400, "Malformed request body"},
		"nothing":                {"2.90", ``, 400, "Malformed request body"},
		"a list":                 {"2.90", `[]`, 400, "[] is not of type 'object'"},
		"nothing in it":          {"2.90", `{}`, 400, "'server' is a required property"},
		"too deep":               {"2.90", strings.Repeat(`{"server":`, 40) + `1` + strings.Repeat(`}`, 40), 400, "Malformed request body"},
		"too large":              {"2.90", with(`"user_data":"` + strings.Repeat("A", 600<<10) + `"`), 413, "too large"},
		"an unknown field":       {"2.90", with(`"colour":"red"`), 400, "Additional properties are not allowed ('colour' was unexpected)"},
		"two unknown fields":     {"2.90", with(`"a":1,"b":2`), 400, "('a', 'b' were unexpected)"},
		"a name too long":        {"2.90", strings.Replace(with(`"tags":[]`), `"n"`, `"`+strings.Repeat("x", 256)+`"`, 1), 400, "is too long"},
		"no name":                {"2.90", strings.Replace(with(`"tags":[]`), `"n"`, `""`, 1), 400, "'' is too short"},
		"a blank name":           {"2.90", strings.Replace(with(`"tags":[]`), `"n"`, `"  "`, 1), 400, "Can not start or end with whitespace"},
		"a name with a bell":     {"2.90", strings.Replace(with(`"tags":[]`), `"n"`, `"a\u0007"`, 1), 400, "printable characters"},
		"a name that is none":    {"2.90", strings.Replace(with(`"tags":[]`), `"n"`, `7`, 1), 400, "Invalid input for field/attribute name. Value: 7. 7 is not of type 'string'"},
		"no flavor":              {"2.90", `{"server":{"name":"n","imageRef":"` + smallImage + `","networks":"none"}}`, 400, "'flavorRef' is a required property"},
		"no networks":            {"2.37", `{"server":{"name":"n","flavorRef":"1","imageRef":"` + smallImage + `"}}`, 400, "'networks' is a required property"},
		"networks by a word":     {"2.37", strings.Replace(with(`"min_count":1`), `"none"`, `"some"`, 1), 400, "is not valid under any of the given schemas"},
		"none, too early":        {"2.36", with(`"min_count":1`), 400, "'none' is not of type 'array'"},
		"an unknown flavor":      {"2.90", strings.Replace(with(`"tags":[]`), `"1"`, `"nosuch"`, 1), 400, "Flavor nosuch could not be found."},
		"a hidden flavor":        {"2.90", strings.Replace(with(`"tags":[]`), `"1"`, `"private"`, 1), 400, "Flavor private could not be found."},
		"an unknown image":       {"2.90", strings.Replace(with(`"tags":[]`), smallImage, someID, 1), 400, "Can not find requested image"},
		"an image that is none":  {"2.90", strings.Replace(with(`"tags":[]`), smallImage, "name", 1), 400, "Invalid input for field/attribute imageRef"},
		"an image without data":  {"2.90", strings.Replace(with(`"tags":[]`), smallImage, emptyImage, 1), 400, "is not active"},
		"an image too large":     {"2.90", strings.Replace(with(`"tags":[]`), smallImage, largeImage, 1), 400, "Flavor's disk is too small for requested image. Flavor disk is 1073741824 bytes, image is 10737418240 bytes."},
		"no image":               {"2.90", strings.Replace(with(`"tags":[]`), smallImage, "", 1), 400, "Invalid imageRef provided."},
		"an unknown key":         {"2.90", with(`"key_name":"nosuch"`), 400, "Invalid key_name provided."},
		"an unknown network":     {"2.90", strings.Replace(with(`"tags":[]`), `"none"`, `[{"uuid":"`+someID+`"}]`, 1), 400, "Network " + someID + " could not be found."},
		"an unknown port":        {"2.90", strings.Replace(with(`"tags":[]`), `"none"`, `[{"port":"`+someID+`"}]`, 1), 400, "Port id " + someID + " could not be found."},
		"a network that is none": {"2.90", strings.Replace(with(`"tags":[]`), `"none"`, `[{}]`, 1), 400, "missing 'uuid'"},
		"an address that is no":  {"2.90", strings.Replace(with(`"tags":[]`), `"none"`, `[{"uuid":"`+flatNet+`","fixed_ip":"1.2.3"}]`, 1), 400, "not valid under any of the given schemas"},
		"one address for two":    {"2.90", strings.Replace(with(`"min_count":2`), `"none"`, `[{"uuid":"`+flatNet+`","fixed_ip":"10.77.0.9"}]`, 1), 400, "max_count cannot be greater than 1"},
		"a tagged interface":     {"2.42", strings.Replace(with(`"min_count":1`), `"none"`, `[{"uuid":"`+flatNet+`","tag":"t"}]`, 1), 400, "tags are not supported"},
		"user data, not base64":  {"2.90", with(`"user_data":"%%%"`), 400, "'%%%' is not a 'base64'"},
		"user data too long":     {"2.90", with(`"user_data":"` + strings.Repeat("A", 65536) + `"`), 400, "is too long"},
		"a metadata key":         {"2.90", with(`"metadata":{"a/b":"c"}`), 400, "Additional properties are not allowed ('a/b' was unexpected)"},
		"a metadata value":       {"2.90", with(`"metadata":{"a":"` + strings.Repeat("v", 256) + `"}`), 400, "is too long"},
		"a metadata number":      {"2.90", with(`"metadata":{"a":1}`), 400, "1 is not of type 'string'"},
		"too much metadata":      {"2.90", with(`"metadata":{` + manyItems(129) + `}`), 403, "Maximum number of metadata items exceeds 128"},
		"a tag with a slash":     {"2.52", with(`"tags":["a/b"]`), 400, "does not match '^[^,/]*$'"},
		"tags too early":         {"2.51", with(`"tags":["a"]`), 400, "'tags' was unexpected"},
		"an unknown zone":        {"2.90", with(`"availability_zone":"moon"`), 400, "The requested availability zone is not available"},
		"a host by a user":       {"2.90", with(`"availability_zone":"nova:host-1"`), 403, "forced_host"},
		"a zone of four parts":   {"2.90", with(`"availability_zone":"a:b:c:d"`), 400, "Unable to parse availability_zone"},
		"fewer than none":        {"2.90", with(`"min_count":0`), 400, "0 is less than the minimum of 1"},
		"more than most":         {"2.90", with(`"min_count":3,"max_count":2`), 400, "min_count must be <= max_count"},
		"a great many":           {"2.90", with(`"min_count":"5000"`), 400, "max_count must be <= 100"},
		"a number without end":   {"2.90", with(`"min_count":1e999999999`), 400, "min_count"},
		"one name for two hosts": {"2.90", with(`"hostname":"abc","max_count":2`), 400, "Unable to allocate a single hostname to multiple instances"},
		"a host name with dots":  {"2.93", with(`"hostname":"a.b"`), 400, "hostname"},
		"files, too late":        {"2.57", with(`"personality":[]`), 400, "'personality' was unexpected"},
		"files":                  {"2.56", with(`"personality":[{"path":"/a","contents":"YQ=="}]`), 400, "not supported"},
		"certificates":           {"2.63", with(`"trusted_image_certificates":["a"]`), 400, "not supported"},
		"a volume":               {"2.90", with(`"block_device_mapping_v2":[{"source_type":"volume","destination_type":"volume","uuid":"` + someID + `","boot_index":0}]`), 400, "volumes are not supported"},
		"another boot image":     {"2.90", with(`"block_device_mapping_v2":[{"source_type":"image","destination_type":"local","uuid":"` + someID + `","boot_index":0}]`), 400, "not the image of the server"},
		"a security group":       {"2.90", with(`"security_groups":[{"name":"web"}]`), 400, "Security group web not found."},
		"a server group":         {"2.90", `{"server":{"name":"n","flavorRef":"1","imageRef":"` + smallImage + `","networks":"none"},"os:scheduler_hints":{"group":"` + someID + `"}}`, 400, "could not be found"},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.do("user", tt.version, "POST", "/v2.1/servers", tt.body)
			if a.status != tt.status || !strings.Contains(string(a.body), escaped(tt.says)) {
				t.Errorf("got %d %s\nwant %d saying %q", a.status, a.body, tt.status, tt.says)
			}
			checkFault(t, a)
		})
	}
	if a := w.do("user", "2.1", "GET", "/v2.1/servers", ""); string(a.body) != "{\"servers\":[]}\n" {
		t.Errorf("something was made: %s", a.body)
	}
	if a := w.do("user", "2.1", "GET", "/v2.1/limits", ""); a.get("limits.absolute.totalInstancesUsed") != float64(0) {
		t.Errorf("quota is used: %s", a.body)
	}
}

// escaped is s as it stands inside a JSON string.
func escaped(s string) string { return strings.ReplaceAll(s, `"`, `\"`) }

func manyItems(n int) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(`"k%d":"v"`, i)
	}
	return strings.Join(items, ",")
}

// checkFault: every refusal has the shape that clients read.
func checkFault(t *testing.T, a answer) {
	t.Helper()
	names := map[int]string{400: "badRequest", 403: "forbidden", 404: "itemNotFound", 406: "computeFault", 409: "conflictingRequest", 413: "overLimit", 501: "notImplemented"}
	if got := a.get(names[a.status] + ".code"); got != float64(a.status) {
		t.Errorf("%d is no fault: %s", a.status, a.body)
	}
	if id := a.header.Get("X-Openstack-Request-Id"); id == "" || id != a.header.Get("X-Compute-Request-Id") {
		t.Error("no request ids")
	}
}

func TestRefuses(t *testing.T) {
	w := newWorld(t, 1)
	id := w.create("user", "mine", "ACTIVE")
	for name, tt := range map[string]struct {
		who, version, method, path, body string
		status                           int
		says                             string
	}{
		"an unknown server":            {"user", "", "GET", "/v2.1/servers/" + someID, "", 404, "could not be found"},
		"a name for a server":          {"user", "", "GET", "/v2.1/servers/mine", "", 404, "could not be found"},
		"another project's server":     {"other", "", "GET", "/v2.1/servers/" + id, "", 404, "could not be found"},
		"deleting it":                  {"other", "", "DELETE", "/v2.1/servers/" + id, "", 404, "could not be found"},
		"renaming it":                  {"other", "", "PUT", "/v2.1/servers/" + id, `{"server":{"name":"x"}}`, 404, "could not be found"},
		"stopping it":                  {"other", "", "POST", "/v2.1/servers/" + id + "/action", `{"os-stop":null}`, 404, "could not be found"},
		"reading its console":          {"other", "", "POST", "/v2.1/servers/" + id + "/action", `{"os-getConsoleOutput":{}}`, 404, "could not be found"},
		"reading its history":          {"other", "", "GET", "/v2.1/servers/" + id + "/os-instance-actions", "", 404, "could not be found"},
		"reading why it is there":      {"other", "", "GET", "/v2.1/servers/" + id + "/troupe-decision", "", 404, "could not be found"},
		"its metadata":                 {"other", "", "GET", "/v2.1/servers/" + id + "/metadata", "", 404, "could not be found"},
		"its tags":                     {"other", "2.26", "DELETE", "/v2.1/servers/" + id + "/tags", "", 404, "could not be found"},
		"everybody's servers":          {"user", "", "GET", "/v2.1/servers?all_tenants=1", "", 403, "get_all_tenants"},
		"a reader who deletes":         {"reader", "", "DELETE", "/v2.1/servers/" + id, "", 403, "Policy"},
		"starting what runs":           {"user", "", "POST", "/v2.1/servers/" + id + "/action", `{"os-start":null}`, 409, "Cannot 'start' instance"},
		"a reboot of no kind":          {"user", "", "POST", "/v2.1/servers/" + id + "/action", `{"reboot":{"type":"warm"}}`, 400, "'warm' is not one of ['HARD', 'Hard', 'hard', 'SOFT', 'Soft', 'soft']"},
		"a reboot without a kind":      {"user", "", "POST", "/v2.1/servers/" + id + "/action", `{"reboot":{}}`, 400, "'type' is a required property"},
		"two actions":                  {"user", "", "POST", "/v2.1/servers/" + id + "/action", `{"os-stop":null,"os-start":null}`, 400, "Additional properties are not allowed"},
		"no action":                    {"user", "", "POST", "/v2.1/servers/" + id + "/action", `{}`, 400, "one action was expected"},
		"null for an action":           {"user", "", "POST", "/v2.1/servers/" + id + "/action", `null`, 400, "Malformed"},
		"a resize":                     {"user", "", "POST", "/v2.1/servers/" + id + "/action", `{"resize":{"flavorRef":"1"}}`, 501, "resize is not supported"},
		"an unknown filter":            {"user", "2.75", "GET", "/v2.1/servers?colour=red", "", 400, "Additional properties are not allowed ('colour' was unexpected)"},
		"a filter of Nova's tables":    {"user", "", "GET", "/v2.1/servers?services=a", "", 400, "Invalid filter field: services."},
		"a pattern that is none":       {"user", "", "GET", "/v2.1/servers?name=(", "", 400, "is not a 'regex'"},
		"a status that is none":        {"user", "2.38", "GET", "/v2.1/servers?status=fine", "", 400, "Invalid status value"},
		"the deleted ones":             {"user", "2.38", "GET", "/v2.1/servers?status=deleted", "", 403, "Only administrators"},
		"a limit below zero":           {"user", "", "GET", "/v2.1/servers?limit=-1", "", 400, "limit"},
		"a marker of nothing":          {"user", "", "GET", "/v2.1/servers?marker=" + someID, "", 400, "marker [" + someID + "] not found"},
		"a marker that is none":        {"user", "", "GET", "/v2.1/servers?marker=x&name=m", "", 400, "marker [x] not found"},
		"a sort key that is none":      {"user", "", "GET", "/v2.1/servers?sort_key=mood", "", 400, "sort_key"},
		"a sort by host":               {"user", "", "GET", "/v2.1/servers?sort_key=host", "", 403, "Only administrators"},
		"a direction that is none":     {"user", "", "GET", "/v2.1/servers?sort_key=uuid&sort_dir=up", "", 400, "sort direction"},
		"a time that is none":          {"user", "", "GET", "/v2.1/servers?changes-since=now", "", 400, "is not a 'date-time'"},
		"a period backwards":           {"user", "2.66", "GET", "/v2.1/servers?changes-since=2021-01-01&changes-before=2020-01-01", "", 400, "changes-since must be less"},
		"a query that is none":         {"user", "", "GET", "/v2.1/servers?name=%zz", "", 400, "malformed"},
		"a query that is no text":      {"user", "", "GET", "/v2.1/servers?name=%ff", "", 400, "UTF-8"},
		"metadata of another key":      {"user", "", "PUT", "/v2.1/servers/" + id + "/metadata/a", `{"meta":{"b":"c"}}`, 400, "Request body and URI mismatch"},
		"no metadata":                  {"user", "", "GET", "/v2.1/servers/" + id + "/metadata/a", "", 404, "Metadata item was not found"},
		"too much metadata":            {"user", "", "POST", "/v2.1/servers/" + id + "/metadata", `{"metadata":{` + manyItems(129) + `}}`, 403, "exceeds 128"},
		"a tag too long":               {"user", "2.26", "PUT", "/v2.1/servers/" + id + "/tags/" + strings.Repeat("t", 61), "", 400, "is invalid"},
		"a flavor without a size":      {"admin", "", "POST", "/v2.1/flavors", `{"flavor":{"name":"f","ram":0,"vcpus":1,"disk":1}}`, 400, "0 is less than the minimum of 1"},
		"a flavor beyond every number": {"admin", "", "POST", "/v2.1/flavors", `{"flavor":{"name":"f","ram":3000000000,"vcpus":1,"disk":1}}`, 400, "is greater than the maximum of 2147483647"},
		"a flavor by a user":           {"user", "", "POST", "/v2.1/flavors", `{}`, 403, "Policy"},
		"an unknown action":            {"admin", "", "POST", "/v2.1/flavors/1/action", `{"dance":{}}`, 400, "no such action"},
		"an unknown hypervisor":        {"admin", "2.53", "GET", "/v2.1/os-hypervisors/" + someID, "", 404, "could not be found"},
		"an unknown service":           {"admin", "2.53", "PUT", "/v2.1/os-services/" + someID, `{"status":"disabled"}`, 404, "not found"},
		"less quota than is used":      {"admin", "", "PUT", "/v2.1/os-quota-sets/p-user", `{"quota_set":{"instances":0}}`, 400, "must be greater than or equal to already used"},
		"an unknown version":           {"user", "2.500", "GET", "/v2.1/servers", "", 406, "not supported by the API"},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.do(tt.who, tt.version, tt.method, tt.path, tt.body)
			if a.status != tt.status || !strings.Contains(string(a.body), escaped(tt.says)) {
				t.Errorf("got %d %s\nwant %d saying %q", a.status, a.body, tt.status, tt.says)
			}
			checkFault(t, a)
		})
	}
}

// TestQuota: what does not fit is refused at the door, and of a request for
// several as many are made as there is room for, if that is enough.
func TestQuota(t *testing.T) {
	w := newWorld(t, 1)
	w.ask("project", "p-user", &messages.SetQuota{Limits: map[string]int64{"instances": 3}})
	some := w.do("user", "2.90", "POST", "/v2.1/servers", with(`"min_count":2,"max_count":5`))
	if some.status != http.StatusAccepted {
		t.Fatalf("2 to 5 of 3: %d %s", some.status, some.body)
	}
	for name, body := range map[string]string{"one more": with(`"min_count":1`), "two more": with(`"min_count":2`)} {
		a := w.do("user", "2.90", "POST", "/v2.1/servers", body)
		if a.status != http.StatusForbidden || !strings.Contains(string(a.body), "Quota exceeded for instances") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		checkFault(t, a)
	}
	list := w.do("user", "2.90", "GET", "/v2.1/servers", "")
	if n := len(list.get("servers").([]any)); n != 3 {
		t.Errorf("%d servers: %s", n, list.body)
	}
}

// TestNoHost: the fault of a server that fits nowhere names what each filter removed.
func TestNoHost(t *testing.T) {
	w := newWorld(t, 2)
	w.ask("project", "p-user", &messages.SetQuota{Limits: map[string]int64{"ram": -1, "cores": -1}})
	big := `{"flavor":{"name":"huge","id":"huge","ram":8000000,"vcpus":4,"disk":1}}`
	if a := w.do("admin", "2.1", "POST", "/v2.1/flavors", big); a.status != http.StatusOK {
		t.Fatal(string(a.body))
	}
	a := w.do("user", "2.90", "POST", "/v2.1/servers", createBody("big", "huge", smallImage))
	if a.status != http.StatusAccepted {
		t.Fatal(string(a.body))
	}
	id := a.text("server.id")
	w.rests("user", id, "ERROR")
	a = w.do("user", "2.90", "GET", "/v2.1/servers/"+id, "")
	if says := a.text("server.fault.message"); !strings.Contains(says, "No valid host was found") || !strings.Contains(says, "ram") {
		t.Errorf("fault: %s", a.body)
	}
	why := w.do("user", "2.90", "GET", "/v2.1/servers/"+id+"/troupe-decision", "")
	if why.get("decision.removed.0.hosts") != float64(2) {
		t.Errorf("decision: %s", why.body)
	}
	if a := w.do("user", "2.90", "DELETE", "/v2.1/servers/"+id, ""); a.status != http.StatusNoContent {
		t.Errorf("delete: %d %s", a.status, a.body)
	}
}

// TestForcedHost: an administrator may say where; the server is there.
func TestForcedHost(t *testing.T) {
	w := newWorld(t, 3)
	for name, fields := range map[string]string{
		"by the zone":       `"availability_zone":"nova:host-2"`,
		"by host":           `"host":"host-2"`,
		"by the hypervisor": `"hypervisor_hostname":"host-2.example"`,
	} {
		a := w.do("admin", "2.90", "POST", "/v2.1/servers", with(fields))
		if a.status != http.StatusAccepted {
			t.Fatalf("%s: %s", name, a.body)
		}
		id := a.text("server.id")
		w.rests("admin", id, "ACTIVE")
		if host := w.do("admin", "2.90", "GET", "/v2.1/servers/"+id, "").text("server.OS-EXT-SRV-ATTR:host"); host != "host-2" {
			t.Errorf("%s: on %s", name, host)
		}
	}
	if a := w.do("admin", "2.90", "POST", "/v2.1/servers", with(`"host":"host-9"`)); a.status != http.StatusBadRequest {
		t.Errorf("an unknown host: %d %s", a.status, a.body)
	}
}

// TestImageRefuses: what an image asks for, and who may use it.
func TestImageRefuses(t *testing.T) {
	w := newWorld(t, 1)
	image := func(id string, v *messages.ImageView) string {
		v.Name, v.ContainerFormat, v.DiskFormat = "image", "bare", cmp.Or(v.DiskFormat, "qcow2")
		w.ask("image", id, &messages.CreateImage{Image: v})
		w.ask("image", id, &messages.ImageUploaded{
			Sha256: strings.Repeat("a", 64), Sha512: strings.Repeat("b", 128), Md5: strings.Repeat("c", 32), SizeBytes: 1, VirtualBytes: 512,
		})
		return id
	}
	off := image("88888888-8888-4888-8888-888888888880", &messages.ImageView{ProjectId: "p-user", Visibility: "private"})
	w.ask("image", off, &messages.SetImageActive{Active: false})
	for name, tt := range map[string]struct{ id, says string }{
		"memory": {image("88888888-8888-4888-8888-888888888881", &messages.ImageView{ProjectId: "p-user", Visibility: "private", MinRamMib: 1 << 20}),
			"Flavor's memory is too small for requested image."},
		"a disk": {image("88888888-8888-4888-8888-888888888882", &messages.ImageView{ProjectId: "p-user", Visibility: "private", MinDiskGib: 1 << 10}),
			"Flavor's disk is smaller than the minimum size specified in image metadata."},
		"another project's": {image("88888888-8888-4888-8888-888888888883", &messages.ImageView{ProjectId: "p-other", Visibility: "private"}),
			"Can not find requested image"},
		"a format of others": {image("88888888-8888-4888-8888-888888888884", &messages.ImageView{ProjectId: "p-user", Visibility: "private", DiskFormat: "vmdk"}),
			"Disk format vmdk is not supported"},
		"deactivated": {off, "is not active"},
	} {
		a := w.do("user", "2.90", "POST", "/v2.1/servers", createBody("n", "1", tt.id))
		if a.status != http.StatusBadRequest || !strings.Contains(string(a.body), tt.says) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		checkFault(t, a)
	}
	w.nothingLeft("user")
}
