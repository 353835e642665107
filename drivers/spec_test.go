package drivers

import (
	"errors"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/messages"
)

func goodSpec() *messages.DomainSpec {
	return &messages.DomainSpec{
		InstanceId: "11111111-2222-4333-8444-555555555555", Vcpus: 1, RamMib: 128, DiskGib: 1,
		ImageSha256: strings.Repeat("a", 64), ImageFormat: "qcow2", ImageVirtualBytes: 1 << 30,
		Nics:        []*messages.DomainNIC{{Mac: "fa:16:3e:00:00:01", Address: "10.64.0.5"}},
		ConfigFiles: map[string][]byte{metaDataPath: []byte(`{"hostname":"a.example"}`)},
	}
}

func TestCheckSpec(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*messages.DomainSpec)
		want   error
	}{
		"as it should be":            {func(*messages.DomainSpec) {}, nil},
		"no disk size":               {func(s *messages.DomainSpec) { s.DiskGib = 0 }, nil},
		"an id with a path":          {func(s *messages.DomainSpec) { s.InstanceId = "../../etc" }, messages.Invalid},
		"an id in capitals":          {func(s *messages.DomainSpec) { s.InstanceId = strings.Repeat("A", 36) }, messages.Invalid},
		"no vCPU":                    {func(s *messages.DomainSpec) { s.Vcpus = 0 }, messages.Invalid},
		"no memory":                  {func(s *messages.DomainSpec) { s.RamMib = 0 }, messages.Invalid},
		"a huge disk":                {func(s *messages.DomainSpec) { s.DiskGib = MaxDiskGiB + 1 }, messages.Invalid},
		"image larger than the disk": {func(s *messages.DomainSpec) { s.ImageVirtualBytes++ }, messages.Invalid},
		"image name as a path":       {func(s *messages.DomainSpec) { s.ImageSha256 = "/etc/passwd" }, messages.Invalid},
		"vmdk":                       {func(s *messages.DomainSpec) { s.ImageFormat = "vmdk" }, messages.Invalid},
		"a group address as MAC":     {func(s *messages.DomainSpec) { s.Nics[0].Mac = "01:00:5e:00:00:01" }, messages.Invalid},
		"a comma in an address":      {func(s *messages.DomainSpec) { s.Nics[0].Address = "10.0.0.1,evil" }, messages.Invalid},
		"a config path that climbs":  {func(s *messages.DomainSpec) { s.ConfigFiles["a/../../b"] = nil }, messages.Invalid},
		"an absolute config path":    {func(s *messages.DomainSpec) { s.ConfigFiles["/a"] = nil }, messages.Invalid},
	} {
		s := goodSpec()
		tt.change(s)
		if err := CheckSpec(s); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

func TestHostname(t *testing.T) {
	s := goodSpec()
	if got := Hostname(s); got != "a.example" {
		t.Errorf("got %q", got)
	}
	s.ConfigFiles[metaDataPath] = []byte("{")
	if got := Hostname(s); got != "" {
		t.Errorf("from broken meta data: got %q", got)
	}
}

func FuzzCheckSpec(f *testing.F) {
	f.Add("11111111-2222-4333-8444-555555555555", "fa:16:3e:00:00:01", "10.0.0.1", "openstack/x", []byte(`{"hostname":"h"}`))
	f.Fuzz(func(t *testing.T, id, mac, address, p string, meta []byte) {
		s := goodSpec()
		s.InstanceId, s.Nics[0].Mac, s.Nics[0].Address = id, mac, address
		s.ConfigFiles = map[string][]byte{p: nil, metaDataPath: meta}
		if CheckSpec(s) == nil && strings.ContainsAny(id+mac+address, "/, \n") {
			t.Errorf("accepted %q %q %q", id, mac, address)
		}
		Hostname(s)
	})
}
