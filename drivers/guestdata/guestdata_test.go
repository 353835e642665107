package guestdata

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/troupe-cloud/troupe/messages"
)

var update = flag.Bool("update", false, "write the golden files anew")

func full() *messages.InstanceView {
	return &messages.InstanceView{
		Id: "7e571a6e-1111-4111-8111-111111111111", Name: "web <1>", Hostname: "web-1",
		ProjectId: "p1", AvailabilityZone: "nova", KeyName: "laptop", PublicKey: "ssh-ed25519 AAAA me@laptop\n",
		AdminPassword: "s3cret", ReservationId: "r-abc", SecurityGroups: []string{"default"},
		Metadata: map[string]string{"b": "2", "a": "1"}, UserData: []byte("#!/bin/sh\necho hi\n\x00\xff"),
		Flavor: &messages.Flavor{Name: "m1.tiny"}, Image: &messages.ImageRef{Id: "0a0b0c0d-2222-4222-8222-222222222222"},
		Ports: []*messages.Port{
			{Id: "aaaaaaaa-3333-4333-8333-333333333333", NetworkId: "n1", Mac: "fa:16:3e:00:00:01",
				Address: "10.88.0.10", PrefixLength: 24, Gateway: "10.88.0.1", Nameservers: []string{"10.88.0.1"}, Mtu: 1450},
			{Id: "bbbbbbbb-4444-4444-8444-444444444444", NetworkId: "n2", Mac: "fa:16:3e:00:00:02",
				Address: "10.99.0.10", PrefixLength: 20, Gateway: "10.99.0.1", Nameservers: []string{"10.88.0.1"}},
			{Id: "short", NetworkId: "n3", Mac: "fa:16:3e:00:00:03"},
		},
	}
}

func TestRender(t *testing.T) { // golden: every document of two servers
	for name, v := range map[string]*messages.InstanceView{
		"full":  full(),
		"empty": {Id: "7e571a6e-1111-4111-8111-111111111111", Name: "no host name"},
	} {
		var got bytes.Buffer
		files := Render(v)
		for _, path := range slices.Sorted(maps.Keys(files)) {
			fmt.Fprintf(&got, "== %s\n%q\n", path, files[path])
			if filepath.Ext(path) == ".json" && !json.Valid(files[path]) {
				t.Errorf("%s: %s is no JSON", name, path)
			}
		}
		golden := filepath.Join("testdata", name+".txt")
		if *update {
			if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got.Bytes(), want)
		}
	}
}

func TestRenderIsDeterministic(t *testing.T) {
	want := Render(full())
	for range 20 {
		if got := Render(full()); !maps.EqualFunc(got, want, bytes.Equal) {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

func TestExpand(t *testing.T) { // golden: which folder has which document
	all := Expand(Render(full()))
	paths := fmt.Sprintln(slices.Sorted(maps.Keys(all)))
	golden := filepath.Join("testdata", "paths.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(paths), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if paths != string(want) {
		t.Errorf("got %s, want %s", paths, want)
	}
	if got := all["ec2/latest/user-data"]; !bytes.Equal(got, full().UserData) {
		t.Errorf("EC2 user data: %q", got)
	}
}

func FuzzRender(f *testing.F) { // names and metadata come from users: always JSON
	f.Add("web", "key", "value", "10.0.0.1", int32(24))
	f.Add("\xff\"<>&", "\x00", "\n", "not an address", int32(-1))
	f.Fuzz(func(t *testing.T, name, key, value, address string, prefix int32) {
		files := Render(&messages.InstanceView{
			Id: name, Name: name, KeyName: key, PublicKey: value, Metadata: map[string]string{key: value},
			Ports: []*messages.Port{{Id: name, Address: address, PrefixLength: prefix}},
		})
		for path, content := range files {
			if filepath.Ext(path) == ".json" && !json.Valid(content) {
				t.Errorf("%s is no JSON: %q", path, content)
			}
		}
	})
}
