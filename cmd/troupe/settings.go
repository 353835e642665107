package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"gopkg.in/yaml.v3"
)

// maxConfigBytes is the largest settings file that is read.
const maxConfigBytes = 1 << 20

// settingError is a bad flag, variable or line of a settings file.
type settingError struct{ err error }

func (e settingError) Error() string { return e.err.Error() }
func (e settingError) Unwrap() error { return e.err }

func badSetting(format string, args ...any) error { return settingError{fmt.Errorf(format, args...)} }

// settle fills the flags that were not given on the command line: from TROUPE_*
// variables, then from the settings file. Each value goes through the flag's own
// parser, so a bad one is refused whatever it came from.
func settle(flags *pflag.FlagSet, getenv func(string) string, file map[string]string) error {
	for key := range file {
		if flags.Lookup(key) == nil || key == "config" || key == "help" {
			return badSetting("the settings file has %q, which is no setting; they are %s", key, names(flags))
		}
	}
	var bad error
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || bad != nil {
			return
		}
		if value := getenv(variable(f.Name)); value != "" {
			if err := flags.Set(f.Name, value); err != nil {
				bad = badSetting("%s=%q: %w", variable(f.Name), value, err)
			}
		} else if value, ok := file[f.Name]; ok {
			if err := flags.Set(f.Name, value); err != nil {
				bad = badSetting("the settings file has %s: %q: %w", f.Name, value, err)
			}
		}
	})
	return bad
}

// variable is the environment variable of a flag: sim-hosts is TROUPE_SIM_HOSTS.
func variable(flag string) string {
	return "TROUPE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func names(flags *pflag.FlagSet) string {
	var all []string
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name != "config" && f.Name != "help" {
			all = append(all, f.Name)
		}
	})
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// readSettings reads a YAML file of settings; "" is no file.
func readSettings(path string) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, settingError{err}
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxConfigBytes+1))
	if err != nil {
		return nil, settingError{err}
	}
	if len(raw) > maxConfigBytes {
		return nil, badSetting("%s is larger than %d bytes", path, maxConfigBytes)
	}
	settings, err := parseSettings(raw)
	if err != nil {
		return nil, badSetting("%s: %w", path, err)
	}
	return settings, nil
}

// parseSettings takes a flat mapping of names to single values.
func parseSettings(raw []byte) (map[string]string, error) {
	var doc map[string]yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(raw)).Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	settings := map[string]string{}
	for key, node := range doc {
		if node.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("%q has to be one value", key)
		}
		settings[key] = node.Value
	}
	return settings, nil
}
