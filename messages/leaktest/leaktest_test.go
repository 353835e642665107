package leaktest

import (
	"strings"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

func straggler(end <-chan struct{}) { <-end }

// TestFind: who does not end is named; who ends is no leak.
func TestFind(t *testing.T) {
	end := make(chan struct{})
	go straggler(end)
	if err := find(0, nil); err == nil || !strings.Contains(err.Error(), "straggler") {
		t.Errorf("one is left, but: %v", err)
	}
	close(end)
	if err := Find(); err != nil {
		t.Error(err)
	}
}
