package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/spf13/cobra"
)

func answered(status int, body string) error {
	return gophercloud.ErrUnexpectedResponseCode{
		Actual: status, Body: []byte(body), ResponseHeader: http.Header{"X-Openstack-Request-Id": {"req-1"}},
	}
}

func TestErrors(t *testing.T) { // table: one row, one failure
	for name, tt := range map[string]struct {
		err  error
		code int
		text string
	}{
		"done":                  {nil, 0, ""},
		"compute says no":       {answered(409, `{"conflictingRequest":{"code":409,"message":"Cannot 'stop'"}}`), ExitConflict, "Cannot 'stop' (HTTP 409, req-1)"},
		"identity says no":      {answered(401, `{"error":{"code":401,"title":"Unauthorized","message":"no"}}`), ExitDenied, "no (HTTP 401, req-1)"},
		"network says no":       {answered(404, `{"NeutronError":{"type":"X","message":"gone","detail":""}}`), ExitNotFound, "gone (HTTP 404, req-1)"},
		"images say no in HTML": {answered(403, "<html><head><title>403</title></head><body><h1>Forbidden</h1>\nquota &lt; 1</body></html>"), ExitDenied, "Forbidden quota < 1 (HTTP 403, req-1)"},
		"nothing said":          {answered(503, ""), ExitUnavailable, "Service Unavailable (HTTP 503, req-1)"},
		"JSON of another kind":  {answered(400, `{"a":[1]}`), ExitFailure, "Bad Request (HTTP 400, req-1)"},
		"wrapped":               {fmt.Errorf("log in: %w", answered(401, "")), ExitDenied, "Unauthorized (HTTP 401, req-1)"},
		"no such name":          {notFound("image", "x"), ExitNotFound, `no image has the name or id "x"`},
		"interrupted":           {context.Canceled, 130, "context canceled"},
		"anything else":         {io.ErrUnexpectedEOF, ExitFailure, "unexpected EOF"},
	} {
		if got := ExitCode(tt.err); got != tt.code {
			t.Errorf("%s: exit %d, want %d", name, got, tt.code)
		}
		if tt.err != nil && Explain(tt.err) != tt.text {
			t.Errorf("%s: got %q, want %q", name, Explain(tt.err), tt.text)
		}
	}
}

func FuzzMessageOf(f *testing.F) { // bodies come from whatever answers
	for _, seed := range []string{`{"a":{"message":"m"}}`, "<title>x", "{", "\x00<", `{"a":null}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) { messageOf(body) })
}

func TestEach(t *testing.T) {
	err := each([]string{"a", "b", "c"}, func(name string) error {
		if name == "b" {
			return nil
		}
		return notFound("server", name)
	})
	if ExitCode(err) != ExitNotFound || !strings.Contains(err.Error(), `"a"`) || !strings.Contains(err.Error(), `"c"`) {
		t.Errorf("got %v", err)
	}
}

func TestOutput(t *testing.T) { // golden: one server in every form
	row := serverRow{
		ID: "7e571a6e", Name: "we\x1b[31mb", Status: "ACTIVE", Flavor: "tiny", Host: "sim-1",
		Addresses: map[string][]string{"flat": {"10.88.0.10"}}, Properties: map[string]string{"yes": "no", "a": "1"},
	}
	var got bytes.Buffer
	for _, form := range []string{formatTable, formatJSON, formatYAML} {
		cmd, a := &cobra.Command{}, &app{output: form}
		cmd.SetOut(&got)
		if err := list(cmd, a, []serverRow{row}, serverColumns); err != nil {
			t.Fatal(err)
		}
		if err := show(cmd, a, row, serverDetails); err != nil {
			t.Fatal(err)
		}
		if err := list(cmd, a, nil, serverColumns); err != nil {
			t.Fatal(err)
		}
	}
	golden := filepath.Join("testdata", "output.txt")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("got\n%s\nwant\n%s", got.Bytes(), want)
	}
}

func TestUnseen(t *testing.T) { // table: one row, one look at a console that grows
	long := strings.Repeat("0123456789", 60)
	for name, tt := range map[string]struct{ shown, out, want string }{
		"the first look":      {"", "a\nb\n", "a\nb\n"},
		"nothing new":         {"a\n", "a\n", ""},
		"a line more":         {"a\n", "a\nb\n", "b\n"},
		"the window moved":    {long + "x\n", long[100:] + "x\ny\n", "y\n"},
		"a new log":           {"old " + long, "new\n", "new\n"},
		"the log was emptied": {"a\n", "", ""},
	} {
		if got := unseen(tt.shown, tt.out); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestPairs(t *testing.T) {
	got, err := pairs([]string{"a=1", "b=x=y", "c="})
	if err != nil || got["a"] != "1" || got["b"] != "x=y" || got["c"] != "" {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"a", "=1", ""} {
		if _, err := pairs([]string{bad}); ExitCode(err) != ExitUsage {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}

func TestCredentials(t *testing.T) { // table: one row, one way to say who we are
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "OS_") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Chdir(t.TempDir())
	file := "clouds:\n  troupe:\n    auth: {auth_url: 'http://file/v3', username: f, password: p, project_name: x, user_domain_id: default}\n"
	env := map[string]string{"OS_AUTH_URL": "http://env/v3", "OS_USERNAME": "e", "OS_PASSWORD": "p",
		"OS_USER_DOMAIN_ID": "default", "OS_PROJECT_NAME": "x", "OS_PROJECT_DOMAIN_ID": "default"}
	for name, tt := range map[string]struct {
		cloud string
		files []string
		env   map[string]string
		want  string
		err   string
	}{
		"nothing":                     {err: "no cloud to talk to"},
		"what make run leaves":        {files: []string{ownFile}, want: "http://file/v3"},
		"an openrc":                   {env: env, want: "http://env/v3"},
		"an openrc before our file":   {env: env, files: []string{ownFile}, want: "http://env/v3"},
		"--os-cloud before an openrc": {cloud: "troupe", env: env, files: []string{"clouds.yaml"}, want: "http://file/v3"},
		"a cloud that is not there":   {cloud: "other", files: []string{"clouds.yaml"}, err: `"other" not found`},
		"an openrc without password":  {env: map[string]string{"OS_AUTH_URL": "x", "OS_USERNAME": "e"}, err: "OS_PASSWORD is not"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			for _, f := range tt.files {
				if err := os.MkdirAll(filepath.Dir(f), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(f, []byte(file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for k, v := range tt.env {
				t.Setenv(k, v)
			}
			auth, _, _, err := (&app{cloud: tt.cloud}).credentials()
			if tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("got %v, want %q", err, tt.err)
			}
			if tt.err == "" && (err != nil || auth.IdentityEndpoint != tt.want) {
				t.Errorf("got %q, %v, want %q", auth.IdentityEndpoint, err, tt.want)
			}
		})
	}
}

func TestPollGivesUp(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	err := poll(ctx, func() (bool, error) { return false, nil })
	if ExitCode(err) != ExitUnsettled {
		t.Errorf("got %v", err)
	}
	if err := poll(t.Context(), func() (bool, error) { return false, io.EOF }); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}
