package nacos_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/cmd/troupe/nacos"
	"github.com/troupe-cloud/troupe/cmd/troupe/nacos/registrytest"
)

func client(t testing.TB, r *registrytest.Registry, v nacos.Version) *nacos.Client {
	t.Helper()
	c, err := nacos.New(nacos.Server{URL: r.URL, Username: r.Username, Password: r.Password, Version: v})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// both runs a test against a registry in each version.
func both(t *testing.T, do func(*testing.T, *nacos.Client)) {
	for _, v := range []nacos.Version{nacos.V1, nacos.V3} {
		t.Run(fmt.Sprint("v", v), func(t *testing.T) {
			do(t, client(t, registrytest.Start(t), v))
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestConfigs(t *testing.T) {
	both(t, func(t *testing.T, c *nacos.Client) {
		ctx := t.Context()
		must(t, c.CreateNamespace(ctx, nacos.Namespace{ID: "dev", Name: "Dev", Description: "d"}))
		all, err := c.Namespaces(ctx)
		if want := []nacos.Namespace{{"public", "public", ""}, {"dev", "Dev", "d"}}; err != nil || len(all) != 2 || all[0].ID != "public" || all[1] != want[1] {
			t.Errorf("%v, %v", all, err)
		}
		k := nacos.Key{Namespace: "dev", Group: "g", DataID: "a.yaml"}
		if _, err := c.Config(ctx, k); !nacos.IsNotFound(err) {
			t.Errorf("nothing is there: %v", err)
		}
		must(t, c.Publish(ctx, nacos.Config{Key: k, Content: "one", Type: "yaml", App: "shop", Description: "what", Tags: "x,y", DataKey: "k"}, "", ""))
		is, err := c.Config(ctx, k)
		must(t, err)
		if is.Content != "one" || is.Type != "yaml" || is.App != "shop" || is.Description != "what" || is.Tags != "x,y" || is.DataKey != "k" || is.Key != k || is.ModifiedAt == 0 {
			t.Errorf("%+v", is)
		}
		if err := c.Publish(ctx, nacos.Config{Key: k, Content: "two"}, "00000000000000000000000000000000", ""); err == nil {
			t.Error("a wrong MD5 is taken")
		}
		must(t, c.Publish(ctx, nacos.Config{Key: k, Content: "two"}, is.MD5, ""))
		page, total, err := c.Configs(ctx, nacos.Filter{Namespace: "dev", DataID: "*.yaml"}, 1, 10)
		if err != nil || total != 1 || len(page) != 1 || page[0].Key != k {
			t.Errorf("%v, %d, %v", page, total, err)
		}
		rows, total, err := c.History(ctx, k, 1, 10)
		if err != nil || total != 2 || rows[0].Operation != "U" || rows[1].Operation != "I" || rows[0].At.IsZero() || rows[0].User == "" {
			t.Fatalf("%+v, %d, %v", rows, total, err)
		}
		row, err := c.Change(ctx, k, rows[0].ID)
		if err != nil || row.Content != "one" || row.DataKey != "k" {
			t.Errorf("%+v, %v", row, err)
		}
		if _, err := c.Change(ctx, k, "99"); !nacos.IsNotFound(err) {
			t.Errorf("no such row: %v", err)
		}
		must(t, c.Remove(ctx, k))
		must(t, c.Remove(ctx, k))
	})
}

func TestListen(t *testing.T) {
	c := client(t, registrytest.Start(t), nacos.V3)
	k := nacos.Key{Namespace: "dev", Group: "g", DataID: "a"}
	changed := make(chan []nacos.Key, 1)
	go func() {
		keys, err := c.Listen(t.Context(), []nacos.Probe{{Key: k}}, 30*time.Second)
		if err != nil {
			t.Error(err)
		}
		changed <- keys
	}()
	must(t, c.Publish(t.Context(), nacos.Config{Key: k, Content: "one"}, "", ""))
	if keys := <-changed; len(keys) != 1 || keys[0] != k {
		t.Errorf("%v", keys)
	}
}

func TestArchives(t *testing.T) {
	both(t, func(t *testing.T, c *nacos.Client) {
		for i := range 3 {
			must(t, c.Publish(t.Context(), nacos.Config{Key: nacos.Key{Group: "g", DataID: fmt.Sprint("a", i)}, Content: "x"}, "", ""))
		}
		must(t, c.CreateNamespace(t.Context(), nacos.Namespace{ID: "copy", Name: "Copy"}))
		var zip bytes.Buffer
		must(t, c.Export(t.Context(), nacos.Filter{Group: "g"}, &zip))
		done, err := c.Import(t.Context(), "copy", "ABORT", bytes.NewReader(zip.Bytes()))
		if err != nil || done.Succeeded != 3 {
			t.Errorf("%+v, %v", done, err)
		}
		done, err = c.Import(t.Context(), "copy", "SKIP", &zip)
		if err != nil || done.Skipped != 3 {
			t.Errorf("%+v, %v", done, err)
		}
	})
}

func TestServices(t *testing.T) {
	both(t, func(t *testing.T, c *nacos.Client) {
		ctx := t.Context()
		k := nacos.ServiceKey{Namespace: "dev", Group: "g", Name: "pay"}
		if _, err := c.Service(ctx, k); err == nil {
			t.Error("nobody made it")
		}
		s := nacos.Service{ServiceKey: k, ProtectThreshold: 0.5, Metadata: map[string]string{"a": "b"}}
		must(t, c.SetService(ctx, s, false))
		must(t, c.SetService(ctx, s, true))
		e := nacos.Endpoint{IP: "10.0.0.1", Port: 80, Cluster: "DEFAULT", Weight: 2, Enabled: false, Healthy: true, Metadata: map[string]string{"k": "v"}}
		must(t, c.Register(ctx, k, e))
		must(t, c.SetCluster(ctx, k, nacos.Cluster{Name: "DEFAULT", Checker: []byte(`{"type":"NONE"}`), CheckPort: 81}))
		is, err := c.Service(ctx, k)
		if err != nil || is.ProtectThreshold != 0.5 || is.Metadata["a"] != "b" || len(is.Clusters) != 1 || is.Clusters[0].Name != "DEFAULT" {
			t.Fatalf("%+v, %v", is, err)
		}
		all, err := c.Endpoints(ctx, k, "DEFAULT")
		if err != nil || len(all) != 1 || all[0].IP != "10.0.0.1" || all[0].Weight != 2 || all[0].Enabled || all[0].Ephemeral || all[0].Metadata["k"] != "v" {
			t.Errorf("%+v, %v", all, err)
		}
		list, total, err := c.Services(ctx, nacos.ServiceKey{Namespace: "dev"}, 1, 10)
		if err != nil || total != 1 || list[0].ServiceKey != k || list[0].Endpoints != 1 {
			t.Errorf("%+v, %d, %v", list, total, err)
		}
		must(t, c.Deregister(ctx, k, e))
	})
}

func TestBeats(t *testing.T) {
	c, k := client(t, registrytest.Start(t), nacos.V3), nacos.ServiceKey{Namespace: "dev", Group: "g", Name: "web"}
	e := nacos.Endpoint{IP: "10.0.0.1", Port: 80, Cluster: "DEFAULT", Weight: 1, Enabled: true, Healthy: true, Ephemeral: true}
	if known, _, err := c.Beat(t.Context(), k, e); err != nil || known {
		t.Errorf("a beat of nobody: %v, %v", known, err)
	}
	must(t, c.Register(t.Context(), k, e))
	if known, next, err := c.Beat(t.Context(), k, e); err != nil || !known || next != 5000 {
		t.Errorf("a beat: %v, %d, %v", known, next, err)
	}
	hosts, mark, err := c.List(t.Context(), k, true)
	if err != nil || len(hosts) != 1 || mark == 0 {
		t.Errorf("%v, %d, %v", hosts, mark, err)
	}
}

func TestLogin(t *testing.T) {
	r := registrytest.Start(t)
	c, err := nacos.New(nacos.Server{URL: r.URL, Username: r.Username, Password: "wrong", Version: nacos.V3})
	must(t, err)
	var refused *nacos.Error
	if _, err := c.Namespaces(t.Context()); !errors.As(err, &refused) || refused.Status != http.StatusForbidden {
		t.Errorf("a wrong password: %v", err)
	}
	nobody, err := nacos.New(nacos.Server{URL: r.URL})
	must(t, err)
	if _, err := nobody.Namespaces(t.Context()); !errors.As(err, &refused) || refused.Status != http.StatusForbidden {
		t.Errorf("nobody: %v", err)
	}
	if v, err := nobody.Speaks(t.Context()); err != nil || v != nacos.V3 {
		t.Errorf("it speaks %v, %v", v, err)
	}
}

func TestNew(t *testing.T) {
	bad := []string{"", "ftp://x", "http://", "http://user:pass@x", "http://x?y=z"}
	for _, url := range append(bad, "127.0.0.1:8848", "http://x/registry/", "https://x") {
		if _, err := nacos.New(nacos.Server{URL: url}); (err != nil) != slices.Contains(bad, url) {
			t.Errorf("%q: %v", url, err)
		}
	}
}
