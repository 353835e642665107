package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestNextEpoch(t *testing.T) {
	dir := t.TempDir()
	for want := uint64(1); want < 4; want++ {
		if got, err := nextEpoch(dir); err != nil || got != want {
			t.Errorf("start %d has epoch %d, %v", want, got, err)
		}
	}
	for _, text := range []string{"", "x", "-1", "99999999999"} {
		path := filepath.Join(dir, epochFile)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := nextEpoch(dir); err == nil {
			t.Errorf("%q gives %d", text, got)
		}
		if left, _ := os.ReadFile(path); string(left) != text {
			t.Errorf("%q was touched", text)
		}
	}
}
