package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// openstackClient goes through a machine's life with the unmodified client of
// the distribution, which reads the clouds.yaml that the cloud wrote.
func (r *real) openstackClient(t *testing.T) {
	requireReal(t, "openstack")
	key := filepath.Join(t.TempDir(), "id.pub")
	const public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl e2e"
	if err := os.WriteFile(key, []byte(public+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		command string
		want    []string // in the output
	}{
		{"token issue -f json", []string{`"project_id"`}},
		{"image create osc --disk-format qcow2 --container-format bare --file " + r.image + " -f json", []string{`"name": "osc"`}},
		{"flavor create osc --ram 128 --vcpus 1 --disk 1 -f json", []string{`"osc"`}},
		{"keypair create osc --public-key " + key + " -f json", []string{"fingerprint"}},
		{"network list -f json", []string{`"flat"`}},
		{"server create osc --image osc --flavor osc --key-name osc --network flat --wait -f json", []string{`"ACTIVE"`, "10.77.0."}},
		{"server list -f json", []string{`"osc"`, `"ACTIVE"`}},
		{"server show osc -f json", []string{`"key_name": "osc"`}},
		{"server event list osc -f json", []string{`"create"`}},
		{"server stop osc", nil},
		{"", []string{"SHUTOFF"}},
		{"server start osc", nil},
		{"", []string{"ACTIVE"}},
		{"server reboot --hard --wait osc", nil},
		{"console log show osc", []string{"TESTIMG"}},
		{"hypervisor list -f json", []string{`"QEMU"`, `"up"`}},
		{"availability zone list -f json", []string{`"nova"`, `"available"`}},
		{"quota show -f json", []string{"instances"}},
		{"limits show --absolute -f json", []string{"totalInstancesUsed"}},
		{"server delete osc --wait", nil},
		{"server list -f json", []string{"[]"}},
		{"keypair delete osc", nil},
		{"flavor delete osc", nil},
		{"image delete osc", nil},
	}
	for _, step := range steps {
		if step.command == "" {
			r.becomes(t, "osc", step.want[0])
			continue
		}
		out, err := r.run(r.ctx, "openstack", strings.Fields(step.command)...)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range step.want {
			if !strings.Contains(out, want) {
				t.Errorf("openstack %s: no %s in\n%s", step.command, want, out)
			}
		}
	}
}

// becomes waits for a status with our own client, which starts faster.
func (r *real) becomes(t *testing.T, name, want string) {
	t.Helper()
	err := eventually(r.ctx, name+" becomes "+want, func() (bool, error) {
		out, err := r.run(r.ctx, binary, "server", "show", name, "-o", "json")
		var s struct {
			Status string
			Task   string `json:"task_state"`
		}
		if err == nil {
			err = json.Unmarshal([]byte(out), &s)
		}
		return s.Status == want && s.Task == "", err
	})
	if err != nil {
		t.Fatal(err)
	}
}
