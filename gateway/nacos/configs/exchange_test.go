package configs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// TestExchanges plays every file in a world of its own, in which there is one
// namespace, "dev".
func TestExchanges(t *testing.T) {
	files, err := filepath.Glob("testdata/exchanges/*.http")
	if err != nil || len(files) == 0 {
		t.Fatal("no exchanges", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".http"), func(t *testing.T) {
			w := newWorld(t, nil)
			_, err := w.Client.Ask(t.Context(), actors.Ref{Kind: "namespace", ID: "dev"}, &messages.CreateNamespace{Name: "Development"})
			if err != nil {
				t.Fatal(err)
			}
			w.Run(t, file)
		})
	}
}

// readAll is the text of all files that the patterns name.
func readAll(t *testing.T, patterns ...string) string {
	t.Helper()
	var all strings.Builder
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no file is like %s: %v", pattern, err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(raw)
		}
	}
	return all.String()
}
