package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/troupe-cloud/troupe/cmd/troupe/nacos"
	"github.com/troupe-cloud/troupe/cmd/troupe/nacos/registrytest"
)

// world is a source and a target.
type world struct {
	t        *testing.T
	source   *registrytest.Registry
	from, to *nacos.Client
	plan     Plan
	left     atomic.Int64 // requests until the target breaks down; 0: it does not
	late     atomic.Bool  // what it is asked last is done, but not answered
}

// RoundTrip lets the target break down in the midst of things.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	if n := w.left.Load(); n > 0 && w.left.Add(-1) == 0 {
		if w.late.Swap(false) {
			if resp, err := http.DefaultTransport.RoundTrip(r); err == nil {
				_ = resp.Body.Close()
			}
		}
		w.left.Store(1) // and stays broken
		return nil, errors.New("broken down")
	}
	return http.DefaultTransport.RoundTrip(r)
}

func newWorld(t *testing.T, from nacos.Version) *world {
	w := &world{t: t}
	w.source = registrytest.Start(t)
	w.from = connect(t, w.source, from, nil)
	w.to = connect(t, registrytest.Start(t), nacos.V3, &http.Client{Transport: w})
	w.plan = Plan{From: w.from, To: w.to, History: 20, Parallel: 4, Tell: func(string, ...any) {}}
	return w
}

// user makes a user at the source.
func (w *world) user(name string) {
	w.t.Helper()
	post := func(path string, form url.Values, into any) {
		resp, err := http.PostForm(w.source.URL+"/nacos/v1/auth/"+path, form)
		w.must(err)
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil || resp.StatusCode != http.StatusOK {
			w.t.Fatalf("%s: %s, %v", path, resp.Status, err)
		}
	}
	var login struct{ AccessToken string }
	post("login", url.Values{"username": {w.source.Username}, "password": {w.source.Password}}, &login)
	post("users", url.Values{"username": {name}, "password": {"a-long-password"}, "accessToken": {login.AccessToken}}, &struct{}{})
}

func connect(t *testing.T, r *registrytest.Registry, v nacos.Version, h *http.Client) *nacos.Client {
	c, err := nacos.New(nacos.Server{URL: r.URL, Username: r.Username, Password: r.Password, Version: v, HTTP: h})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) publish(c *nacos.Client, ns, id, content string) {
	w.t.Helper()
	w.must(c.Publish(w.t.Context(), nacos.Config{Key: nacos.Key{Namespace: ns, Group: "g", DataID: id}, Content: content, Type: "json", Tags: "a,b", Description: "d"}, "", ""))
}

// fill puts into the source what a migration meets.
func (w *world) fill() {
	ctx := w.t.Context()
	w.must(w.from.CreateNamespace(ctx, nacos.Namespace{ID: "dev", Name: "Dev", Description: "for tests"}))
	for i := range 7 {
		for _, ns := range []string{"public", "dev"} {
			for n := range i + 1 {
				w.publish(w.from, ns, fmt.Sprint("c", i), fmt.Sprint("content ", n))
			}
		}
	}
	again := nacos.Key{Namespace: "dev", Group: "g", DataID: "again"}
	w.publish(w.from, "dev", "again", "first")
	w.must(w.from.Remove(ctx, again))
	w.publish(w.from, "dev", "again", "second")
	pay := nacos.ServiceKey{Namespace: "dev", Group: "g", Name: "pay"}
	w.must(w.from.SetService(ctx, nacos.Service{ServiceKey: pay, ProtectThreshold: 0.25, Metadata: map[string]string{"k": "v"}}, false))
	for i := range 3 {
		w.must(w.from.Register(ctx, pay, nacos.Endpoint{IP: fmt.Sprint("10.0.0.", i), Port: 80, Cluster: "blue", Weight: float64(i), Enabled: i > 0, Healthy: true}))
	}
	w.must(w.from.SetCluster(ctx, pay, nacos.Cluster{Name: "blue", Checker: []byte(`{"type":"NONE"}`), OwnPort: true}))
	web := nacos.ServiceKey{Namespace: "dev", Group: "g", Name: "web"}
	w.must(w.from.Register(ctx, web, nacos.Endpoint{IP: "10.0.1.1", Port: 80, Cluster: "DEFAULT", Weight: 1, Enabled: true, Healthy: true, Ephemeral: true}))
}

// contents is the past of a config as its history tells it, newest first.
func (w *world) contents(c *nacos.Client, ns, id string) string {
	w.t.Helper()
	k := nacos.Key{Namespace: ns, Group: "g", DataID: id}
	is, err := c.Config(w.t.Context(), k)
	w.must(err)
	rows, _, err := c.History(w.t.Context(), k, 1, 100)
	w.must(err)
	all := []string{is.Content + " " + is.Type + " " + is.Tags + " " + is.Description}
	for _, r := range rows {
		row, err := c.Change(w.t.Context(), k, r.ID)
		w.must(err)
		all = append(all, r.Operation+" "+row.Content)
	}
	return strings.Join(all, "; ")
}

// checkEqual holds the target to the source.
func (w *world) checkEqual() {
	w.t.Helper()
	for i := range 7 {
		for _, ns := range []string{"public", "dev"} {
			if a, b := w.contents(w.from, ns, fmt.Sprint("c", i)), w.contents(w.to, ns, fmt.Sprint("c", i)); a != b {
				w.t.Errorf("c%d of %s:\nsource %s\ntarget %s", i, ns, a, b)
			}
		}
	}
	if a, b := w.contents(w.from, "dev", "again"), w.contents(w.to, "dev", "again"); a != b {
		w.t.Errorf("again:\nsource %s\ntarget %s", a, b)
	}
	pay := nacos.ServiceKey{Namespace: "dev", Group: "g", Name: "pay"}
	s, err := w.to.Service(w.t.Context(), pay)
	if err != nil || s.ProtectThreshold != 0.25 || s.Metadata["k"] != "v" || len(s.Clusters) != 1 || !strings.Contains(string(s.Clusters[0].Checker), "NONE") {
		w.t.Errorf("service: %+v, %v", s, err)
	}
	a, err := w.from.Endpoints(w.t.Context(), pay, "blue")
	w.must(err)
	b, err := w.to.Endpoints(w.t.Context(), pay, "blue")
	if err != nil || !reflect.DeepEqual(a, b) || len(a) != 3 {
		w.t.Errorf("endpoints:\nsource %v\ntarget %v, %v", a, b, err)
	}
}

func TestEverythingIsCopied(t *testing.T) {
	for _, v := range []nacos.Version{nacos.V1, nacos.V3} {
		t.Run(fmt.Sprint("from v", v), func(t *testing.T) {
			w := newWorld(t, v)
			w.fill()
			got, err := Run(t.Context(), w.plan)
			want := Report{Namespaces: 1, Configs: 15, Rows: 2*(1+2+3+4+5+6) + 2, Services: 1, Endpoints: 3, Ephemeral: 1}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%+v, %v; want %+v", got, err, want)
			}
			w.checkEqual()
			got, err = Run(t.Context(), w.plan)
			want = Report{Same: 15, Services: 1, Endpoints: 3, Ephemeral: 1}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("again: %+v, %v; want %+v", got, err, want)
			}
		})
	}
}

// TestBrokenOff: however often the target breaks down, in the end all is there once.
func TestBrokenOff(t *testing.T) {
	w := newWorld(t, nacos.V3)
	w.fill()
	path := filepath.Join(t.TempDir(), "journal")
	for n := int64(5); ; n += 23 {
		j, err := OpenJournal(path, "from", "to")
		w.must(err)
		w.plan.Journal = j
		w.late.Store(n%2 == 0)
		w.left.Store(n)
		got, err := Run(t.Context(), w.plan)
		w.must(j.Close())
		w.left.Store(0)
		if err == nil && got.Failed == 0 {
			break
		}
		if n > 2000 {
			t.Fatal("it never ends")
		}
	}
	w.checkEqual()
}

// TestBetasAndRights: what some addresses see comes along, and what roles may do; who
// has them only where there is such a user.
func TestBetasAndRights(t *testing.T) {
	for _, v := range []nacos.Version{nacos.V1, nacos.V3} {
		t.Run(fmt.Sprint("from v", v), func(t *testing.T) {
			w := newWorld(t, v)
			w.publish(w.from, "public", "a", "formal")
			key := nacos.Key{Namespace: "public", Group: "g", DataID: "a"}
			w.must(w.from.PublishBeta(t.Context(), nacos.Beta{Config: nacos.Config{Key: key, Content: "beta"}, IPs: "10.0.0.1,10.0.0.2"}))
			for _, role := range []string{"dev", "ROLE_ADMIN"} {
				w.must(w.from.AddRole(t.Context(), nacos.Role{Role: role, Username: "admin"}))
			}
			w.must(w.from.AddPermission(t.Context(), nacos.Permission{Role: "dev", Resource: "dev:*:naming/*", Action: "rw"}))
			w.user("ann")
			w.must(w.from.AddRole(t.Context(), nacos.Role{Role: "dev", Username: "ann"}))
			got, err := Run(t.Context(), w.plan)
			want := Report{Configs: 1, Betas: 1, Roles: 1, Permissions: 1, Users: []string{"ann"}}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%+v, %v; want %+v", got, err, want)
			}
			beta, err := w.to.Beta(t.Context(), key)
			if err != nil || beta.Content != "beta" || beta.IPs != "10.0.0.1,10.0.0.2" {
				t.Errorf("%+v, %v", beta, err)
			}
			roles, _, err := w.to.Roles(t.Context(), 1, 10)
			if err != nil || !reflect.DeepEqual(roles, []nacos.Role{{Role: "dev", Username: "admin"}}) {
				t.Errorf("%v, %v", roles, err)
			}
			got, err = Run(t.Context(), w.plan)
			if want := (Report{Same: 1, Users: []string{"ann"}}); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("again: %+v, %v", got, err)
			}
			w.plan.NoRights = true
			if got, err = Run(t.Context(), w.plan); err != nil || got.Users != nil {
				t.Errorf("without rights: %+v, %v", got, err)
			}
		})
	}
}

func TestWhatDiffersStays(t *testing.T) {
	w := newWorld(t, nacos.V3)
	w.publish(w.from, "public", "a", "theirs")
	w.publish(w.to, "public", "a", "ours")
	got, err := Run(t.Context(), w.plan)
	if err != nil || got.Differing != 1 || !strings.HasPrefix(w.contents(w.to, "public", "a"), "ours") {
		t.Errorf("%+v, %v", got, err)
	}
	w.plan.Overwrite = true
	got, err = Run(t.Context(), w.plan)
	if err != nil || got.Configs != 1 || !strings.HasPrefix(w.contents(w.to, "public", "a"), "theirs") {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestNamespacesAreChosen(t *testing.T) {
	w := newWorld(t, nacos.V3)
	w.fill()
	w.plan.Namespaces = []string{"dev"}
	if got, err := Run(t.Context(), w.plan); err != nil || got.Configs != 8 {
		t.Errorf("%+v, %v", got, err)
	}
	w.plan.Namespaces = []string{"nowhere"}
	if _, err := Run(t.Context(), w.plan); err == nil {
		t.Error("a namespace that is not there")
	}
}

func TestSteps(t *testing.T) { // table: one row, a history, oldest first, and what is made again
	row := func(s string) nacos.Change { return nacos.Change{Operation: s[:1], ID: s[1:]} }
	for past, want := range map[string]string{
		"I1":          "",
		"I1 U2":       "1",
		"I1 U2 U3":    "1 3",
		"U2 U3":       "2 3",
		"U2":          "2",
		"I1 D2 I3":    "1 -",
		"I1 D2 I3 U4": "1 - 3",
		"D2 I3":       "2 -",
		"I1 U2 D3":    "1 3 -",
	} {
		var rows []nacos.Change
		for _, s := range strings.Fields(past) {
			rows = append(rows, row(s))
		}
		var got []string
		for _, s := range steps(rows) {
			if s.row == "" {
				s.row = "-"
			}
			got = append(got, s.row)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", past, got, want)
		}
	}
}

func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, err := OpenJournal(path, "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	x, y := item{"config", "ns", "g", "x"}, item{"config", "ns", "g", "xy"}
	j.begin(x, 3)
	j.done(y)
	if err := errors.Join(j.err(), j.Close()); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.WriteString("done\tconfig\tns\tg\tx") // broken off
	_ = f.Close()
	if j, err = OpenJournal(path, "a", "b"); err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if n, ok := j.begun(x); !ok || n != 3 || j.isDone(x) || !j.isDone(y) {
		t.Errorf("%v %v %v %v", n, ok, j.isDone(x), j.isDone(y))
	}
	if _, err := OpenJournal(path, "a", "c"); err == nil {
		t.Error("the journal of another migration is taken")
	}
}

func TestEnds(t *testing.T) {
	w := newWorld(t, nacos.V3)
	w.fill()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, w.plan); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// FuzzJournal: no file is more than what its whole lines say.
func FuzzJournal(f *testing.F) {
	f.Add("migration\ta\tb\t.\ndone\tconfig\tn\tg\td\t.\n")
	f.Add("migration\ta\tb\t.\nbegin\tconfig\tn\tg\td\t7\t.\ndone\tx")
	f.Add("\n\n")
	f.Fuzz(func(t *testing.T, raw string) {
		j := &Journal{ended: map[item]bool{}, starts: map[item]int{}}
		if _, err := j.read(strings.NewReader(raw), line("migration", "a", "b")); err != nil {
			return
		}
		if n := strings.Count(raw, "\n") + 1; len(j.ended)+len(j.starts) > n {
			t.Errorf("%d lines say %d and %d", n, len(j.ended), len(j.starts))
		}
	})
}
