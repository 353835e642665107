package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestSettle(t *testing.T) { // table: one row, one way a setting is given
	for name, tt := range map[string]struct {
		args []string
		env  map[string]string
		file string
		want string // of --sim-hosts
		err  string
	}{
		"the default":                   {want: "8"},
		"a file over the default":       {file: "sim-hosts: 9", want: "9"},
		"a variable over the file":      {env: map[string]string{"TROUPE_SIM_HOSTS": "10"}, file: "sim-hosts: 9", want: "10"},
		"a flag over all":               {args: []string{"--sim-hosts=11"}, env: map[string]string{"TROUPE_SIM_HOSTS": "10"}, want: "11"},
		"a variable that is no number":  {env: map[string]string{"TROUPE_SIM_HOSTS": "many"}, err: "TROUPE_SIM_HOSTS"},
		"a line that is no number":      {file: "sim-hosts: many", err: "sim-hosts"},
		"a line that is no setting":     {file: "sim-host: 3", err: `"sim-host", which is no setting`},
		"a file that names a file":      {file: "config: x", err: "no setting"},
		"a list where a value belongs":  {file: "sim-hosts: [1]", err: "has to be one value"},
		"a file that is no YAML at all": {file: "\t:", err: "yaml"},
		"an empty file":                 {file: "", want: "8"},
	} {
		flags := pflag.NewFlagSet("dev", pflag.ContinueOnError)
		hosts := flags.Int("sim-hosts", 8, "")
		flags.String("config", "", "")
		err := flags.Parse(tt.args)
		path := filepath.Join(t.TempDir(), "troupe.yaml")
		if err == nil {
			err = os.WriteFile(path, []byte(tt.file), 0o600)
		}
		var file map[string]string
		if err == nil {
			file, err = readSettings(path)
		}
		if err == nil {
			err = settle(flags, func(k string) string { return tt.env[k] }, file)
		}
		var bad settingError
		if tt.err != "" && (!errors.As(err, &bad) || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%s: got %v, want %q", name, err, tt.err)
		}
		if tt.err == "" && (err != nil || flags.Lookup("sim-hosts").Value.String() != tt.want) {
			t.Errorf("%s: got %d, %v, want %s", name, *hosts, err, tt.want)
		}
	}
}

func TestSettingsFileLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "troupe.yaml")
	if err := os.WriteFile(path, make([]byte, maxConfigBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readSettings(path); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("got %v", err)
	}
}

func FuzzParseSettings(f *testing.F) {
	for _, seed := range []string{"a: b", "a: [1]", "- x", "a: &x 1\nb: *x", "\x00", "a: !!binary zz"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := parseSettings(raw); err != nil && err.Error() == "" {
			t.Error("an error without a sentence")
		}
	})
}
