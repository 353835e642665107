package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/messages"
)

func TestRotating(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "troupe.log")
	r, err := openRotating(path, 20, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"0123456789a\n", "0123456789b\n", "0123456789c\n", "0123456789d\n"} {
		if _, err := r.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"troupe.log": "d", "troupe.log.1": "c", "troupe.log.2": "b"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.HasSuffix(string(got), want+"\n") {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "troupe.log.3")); !os.IsNotExist(err) {
		t.Errorf("a file too many: %v", err)
	}
}

func TestLevels(t *testing.T) {
	before := zerolog.GlobalLevel()
	t.Cleanup(func() { zerolog.SetGlobalLevel(before) })
	if err := (levels{}).SetLevel("WARN"); err != nil || (levels{}).Level() != "warn" {
		t.Errorf("got %s, %v", (levels{}).Level(), err)
	}
	for _, bad := range []string{"", "loud", "panic", "disabled"} {
		if err := (levels{}).SetLevel(bad); !errors.Is(err, messages.Invalid) {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}

func TestLogFile(t *testing.T) {
	before := zerolog.GlobalLevel()
	t.Cleanup(func() { zerolog.SetGlobalLevel(before) })
	path := filepath.Join(t.TempDir(), "troupe.log")
	log, closer, err := newLog(path, "info")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 * floodBurst {
		log.Info().Msg("flood")
	}
	log.Error().Msg("bad")
	log.Debug().Msg("detail")
	if err := closer.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(raw), "flood"); n < floodBurst || n > 3*floodBurst-100 {
		t.Errorf("%d lines of the flood were written", n)
	}
	if !strings.Contains(string(raw), "bad") || strings.Contains(string(raw), "detail") {
		t.Error("levels are mixed up")
	}
}
