package client

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/cobra"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/balancer"
	"github.com/troupe-cloud/troupe/cmd/troupe/nacos"
	"github.com/troupe-cloud/troupe/cmd/troupe/nacos/registrytest"
	"github.com/troupe-cloud/troupe/messages"
)

// operator types commands at a registry.
type operator struct {
	t *testing.T
	r *registrytest.Registry
}

// troupe runs one command; what it prints, without times.
func (o operator) troupe(args ...string) (string, error) {
	o.t.Helper()
	var out bytes.Buffer
	err := o.start(o.t.Context(), &out, args...)
	return times.ReplaceAllString(out.String(), "<time>"), err
}

var times = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

func (o operator) start(ctx context.Context, out interface{ Write([]byte) (int, error) }, args ...string) error {
	root := &cobra.Command{Use: "troupe", SilenceErrors: true, SilenceUsage: true}
	Add(root)
	root.SetArgs(append(args, "--server", o.r.URL, "--data", o.r.Dir))
	root.SetOut(out)
	root.SetErr(out)
	root.SetIn(strings.NewReader("from: stdin\n"))
	return root.ExecuteContext(ctx)
}

// want runs a command that has to print what is wanted.
func (o operator) want(want string, args ...string) {
	o.t.Helper()
	got, err := o.troupe(args...)
	if err != nil || got != want {
		o.t.Errorf("%v: %v\n--- got\n%s--- want\n%s", args, err, got, want)
	}
}

func TestConfigCommands(t *testing.T) {
	o := operator{t, registrytest.Start(t)}
	file := filepath.Join(t.TempDir(), "app.yml")
	if err := os.WriteFile(file, []byte("a: 1\nb: 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := o.troupe("config", "get", "app"); ExitCode(err) != ExitNotFound {
		t.Errorf("nothing is there: %v", err)
	}
	o.want("", "config", "set", "app", file, "--desc", "the shop", "--tags", "x,y")
	o.want("a: 1\nb: 2\n", "config", "get", "app")
	o.want("", "config", "set", "app", "--content", "a: 1\nb: 3\n")
	o.want("DATA ID  GROUP          TYPE  APP  MD5                               MODIFIED\n"+
		"app      DEFAULT_GROUP  yaml  -    "+md5Of("a: 1\nb: 3\n")+"  <time>\n", "config", "list")
	if got, _ := o.troupe("config", "get", "app", "-o", "json"); !strings.Contains(got, `"description": "the shop"`) || !strings.Contains(got, `"tags": "x,y"`) {
		t.Errorf("the labels are lost:\n%s", got)
	}
	o.want("--- app (row 2)\n+++ app (now)\n@@ -1,2 +1,2 @@\n a: 1\n-b: 2\n+b: 3\n", "config", "diff", "app")
	o.want("--- app (now)\n+++ "+file+"\n@@ -1,2 +1,2 @@\n a: 1\n-b: 3\n+b: 2\n", "config", "diff", "app", "--file", file)
	o.want("", "config", "diff", "app", "--from", "1", "--to", "2")
	o.want("", "config", "rollback", "app", "2")
	o.want("a: 1\nb: 2\n", "config", "get", "app")
	o.want("a: 1\nb: 3\n", "config", "get", "app", "--row", "3")
	if got, err := o.troupe("config", "history", "app"); err != nil || strings.Count(got, "changed") != 2 || strings.Count(got, "created") != 1 {
		t.Errorf("%v\n%s", err, got)
	}
	if _, err := o.troupe("config", "set", "app", "--content", "x", "--cas", md5Of("y")); ExitCode(err) != ExitConflict {
		t.Errorf("a wrong MD5: %v", err)
	}
	o.want("", "config", "set", "in")
	o.want("from: stdin\n", "config", "get", "in")
	o.want("", "config", "remove", "in", "nothing")
	if _, err := o.troupe("config", "get", "in"); ExitCode(err) != ExitNotFound {
		t.Errorf("it is removed: %v", err)
	}
}

func md5Of(s string) string { return fmt.Sprintf("%x", md5.Sum([]byte(s))) }

func TestArchiveCommands(t *testing.T) {
	o := operator{t, registrytest.Start(t)}
	zip := filepath.Join(t.TempDir(), "x.zip")
	o.want("", "config", "set", "a.json", "--content", "{}")
	o.want("", "config", "export", "-f", zip)
	if _, err := o.troupe("config", "export", "-f", zip); ExitCode(err) != ExitUsage {
		t.Errorf("a file that is there is overwritten: %v", err)
	}
	o.want("published  0\nskipped    1\nfailed     0\n", "config", "import", zip, "--policy", "skip")
	o.want("published  1\nskipped    0\nfailed     0\n", "config", "import", zip, "--policy", "overwrite")
}

// screen is what a command that goes on has printed; it says when it prints.
type screen struct {
	mu    sync.Mutex
	text  strings.Builder
	wrote chan struct{}
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(b)
	select {
	case s.wrote <- struct{}{}:
	default:
	}
	return len(b), nil
}

// await waits until a text stands on the screen.
func (s *screen) await(t *testing.T, text string) {
	t.Helper()
	for {
		s.mu.Lock()
		is := s.text.String()
		s.mu.Unlock()
		if strings.Contains(is, text) {
			return
		}
		select {
		case <-s.wrote:
		case <-t.Context().Done():
			t.Fatalf("%q is not printed, but\n%s", text, is)
		}
	}
}

// follow runs a command until stop is called; its error then.
func (o operator) follow(args ...string) (s *screen, stop func() error) {
	ctx, cancel := context.WithCancel(o.t.Context())
	s = &screen{wrote: make(chan struct{}, 1)}
	done := make(chan error, 1)
	go func() { done <- o.start(ctx, s, args...) }()
	return s, func() error { cancel(); return <-done }
}

func TestConfigWatch(t *testing.T) {
	o := operator{t, registrytest.Start(t)}
	s, stop := o.follow("config", "watch", "a", "b", "--content")
	s.await(t, "DEFAULT_GROUP a is not there\n")
	s.await(t, "DEFAULT_GROUP b is not there\n")
	o.want("", "config", "set", "b", "--content", "one")
	s.await(t, "3 bytes\none\n")
	o.want("", "config", "set", "a", "--content", "three")
	s.await(t, "5 bytes\nthree\n")
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestServiceCommands(t *testing.T) {
	o := operator{t, registrytest.Start(t)}
	watch, stopWatch := o.follow("service", "watch", "web", "--interval", "100ms")
	s, stop := o.follow("service", "register", "web", "10.0.0.1:80", "--meta", "zone=a", "--weight", "2")
	s.await(t, "10.0.0.1:80 is registered as web")
	watch.await(t, "+ 10.0.0.1:80 DEFAULT weight=2 healthy=true zone=a\n")
	o.want("NAME  GROUP          CLUSTERS  ENDPOINTS  HEALTHY\nweb   DEFAULT_GROUP  1         1          1\n", "service", "list")
	o.want("ADDRESS      CLUSTER  WEIGHT  HEALTHY  ENABLED  KEPT BY     METADATA\n"+
		"10.0.0.1:80  DEFAULT  2       true     true     its client  zone=a\n", "service", "show", "web")
	if err := stop(); err != nil {
		t.Error(err)
	}
	watch.await(t, "- 10.0.0.1:80 DEFAULT")
	if err := stopWatch(); err != nil {
		t.Error(err)
	}
	o.want("", "service", "register", "db", "10.0.0.2:5432", "--persistent")
	if got, err := o.troupe("service", "show", "db"); err != nil || !strings.Contains(got, "the registry") {
		t.Errorf("%v\n%s", err, got)
	}
	if _, err := o.r.Client.Ask(t.Context(), service.Ref("", "", "db"), &messages.SetService{
		MetadataSet: true, Metadata: map[string]string{balancer.RuleKey: "best"},
	}); err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"table", "json"} {
		if got, err := o.troupe("service", "show", "db", "-o", form); err != nil || !strings.Contains(got, balancer.RuleKey+": ") {
			t.Errorf("%v\n%s", err, got)
		}
	}
	if _, err := o.troupe("service", "register", "db", "nonsense"); ExitCode(err) != ExitUsage {
		t.Error(err)
	}
}

func TestMigrateCommand(t *testing.T) {
	source, o := operator{t, registrytest.Start(t)}, operator{t, registrytest.Start(t)}
	for i := range 3 {
		source.want("", "config", "set", "a", "--content", fmt.Sprint(i))
	}
	t.Setenv("TROUPE_FROM_PASSWORD", source.r.Password)
	journal := filepath.Join(t.TempDir(), "journal")
	got, err := o.troupe("migrate", "nacos", "--from", source.r.URL, "--from-username", source.r.Username, "--journal", journal)
	if err != nil || !regexp.MustCompile(`configs copied +1\n(.*\n)*changes of histories copied +2\n`).MatchString(got) {
		t.Errorf("%v\n%s", err, got)
	}
	o.want("2", "config", "get", "a")
	if _, err := o.troupe("migrate", "nacos"); err == nil {
		t.Error("no source is named")
	}
}

func TestWhoLogsIn(t *testing.T) { // table: one row, an environment and a server
	dir := t.TempDir()
	t.Chdir(dir)
	write := func(folder, raw string) string {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, folder, "credentials.json"), []byte(raw), 0o600); err != nil {
			t.Fatal(err)
		}
		return folder
	}
	write("run", `{"auth_url":"http://127.0.0.1:8774/identity/v3","username":"admin","password":"p"}`)
	other := write("other", `{"auth_url":"http://10.0.0.7:8774/identity/v3","username":"root","password":"q"}`)
	bad := write("bad", `no JSON`)
	for name, tt := range map[string]struct {
		data, auth, server string
		user               string
		fails              bool
	}{
		"the cloud of this folder":          {"", "", "http://127.0.0.1:8848", "admin", false},
		"by another name of the machine":    {"", "", "http://localhost:8848", "admin", false},
		"not at another machine":            {"", "", "http://10.0.0.9:8848", "", false},
		"a folder that is named":            {other, "", "http://127.0.0.1:8848", "root", false},
		"a folder without":                  {"nowhere", "", "http://127.0.0.1:8848", "", true},
		"a damaged one":                     {bad, "", "http://127.0.0.1:8848", "", true},
		"an openrc":                         {"", "http://10.0.0.9:8774/identity/v3", "http://10.0.0.9:8848", "rc", false},
		"an openrc of another machine":      {"", "http://10.0.0.9:8774/identity/v3", "http://10.0.0.8:8848", "", false},
		"a folder goes before an openrc":    {other, "http://127.0.0.1:8774", "http://127.0.0.1:8848", "root", false},
		"an openrc of another, and a cloud": {"", "http://10.0.0.9:8774/identity/v3", "http://127.0.0.1:8848", "admin", false},
	} {
		t.Setenv("OS_AUTH_URL", tt.auth)
		t.Setenv("OS_USERNAME", "rc")
		t.Setenv("OS_PASSWORD", "s")
		r := &registryApp{data: tt.data}
		user, _, err := r.ownCredentials(tt.server)
		if user != tt.user || (err != nil) != tt.fails {
			t.Errorf("%s: %q, %v", name, user, err)
		}
	}
}

func TestWhereTheRegistryIs(t *testing.T) { // table: one row, an environment
	dir := t.TempDir()
	t.Chdir(dir)
	for folder, raw := range map[string]string{"run": `{"registry_url":"http://127.0.0.1:1"}`, "other": `{"registry_url":"http://10.0.0.7:2"}`, "old": `{}`, "bad": `x`} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, folder, "credentials.json"), []byte(raw), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		flag, env, data, auth string
		want                  string
	}{
		"the cloud of this folder":       {"", "", "", "", "http://127.0.0.1:1"},
		"a flag":                         {"http://a:1", "http://b:1", "other", "http://c:5/identity/v3", "http://a:1"},
		"a variable":                     {"", "http://b:1", "other", "http://c:5/identity/v3", "http://b:1"},
		"a folder that is named":         {"", "", "other", "http://c:5/identity/v3", "http://10.0.0.7:2"},
		"a folder that does not say":     {"", "", "old", "http://c:5/identity/v3", defaultServer},
		"a folder that is damaged":       {"", "", "bad", "", ""},
		"the cloud of an openrc":         {"", "", "", "http://c:5/identity/v3", "http://c:8848"},
		"by its scheme, and in brackets": {"", "", "", "https://[fd00::1]:5/identity/v3", "https://[fd00::1]:8848"},
		"an openrc that says nothing":    {"", "", "", "x", "http://127.0.0.1:1"},
	} {
		t.Setenv("TROUPE_REGISTRY_SERVER", tt.env)
		t.Setenv("OS_AUTH_URL", tt.auth)
		r := &registryApp{server: tt.flag, data: tt.data}
		if got, err := r.address(); err == nil && got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s: %s, %v, want %s", name, got, err, tt.want)
		}
	}
}

func TestRegistryErrors(t *testing.T) { // table: one row, one answer
	for _, tt := range []struct {
		is   nacos.Error
		code int
	}{
		{nacos.Error{Status: 404}, ExitNotFound},
		{nacos.Error{Status: 200, Code: 20004}, ExitNotFound},
		{nacos.Error{Status: 500, Code: 20005}, ExitConflict},
		{nacos.Error{Status: 403}, ExitDenied},
		{nacos.Error{Status: 503}, ExitUnavailable},
		{nacos.Error{Status: 400}, ExitFailure},
	} {
		if got := ExitCode(errors.Join(&tt.is)); got != tt.code {
			t.Errorf("%+v: %d", tt.is, got)
		}
	}
}
