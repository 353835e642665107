package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/scheduler"
)

var recordStates = flag.Bool("record-states", false, "add to testdata/states.txt what states hold anew, with the newest format")

const statesFile = "testdata/states.txt"

// TestStates holds what is stored of states to what was ever recorded. A field keeps its
// name and type for ever: a newer program reads what an older one has written. One that
// is new is lost when an older program writes the state: it is recorded with the format
// that it came with, in which nobody writes while such a program is a member.
func TestStates(t *testing.T) {
	raw, err := os.ReadFile(statesFile)
	if err != nil && !*recordStates {
		t.Fatal(err)
	}
	recorded := strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
	known := map[string]bool{}
	for _, line := range recorded {
		_, field, _ := strings.Cut(line, " ")
		known[field] = true
	}
	now := map[string]bool{}
	for _, k := range kinds(scheduler.Filter) {
		for _, line := range k.Shape() {
			now[line] = true
		}
	}
	var added []string
	for line := range now {
		if !known[line] {
			added = append(added, fmt.Sprintf("%d %s", actors.Format, line))
		}
	}
	for field := range known {
		if !now[field] && field != "" {
			t.Errorf("%q does not hold any more: programs of before have written it so", field)
		}
	}
	if len(added) == 0 || t.Failed() {
		return
	}
	slices.Sort(added)
	if !*recordStates {
		t.Fatalf("states are new in %d fields, e.g. %q. If a program of before would lose by that, it is a new actors.Format, and the kind asks "+
			"Input.Writes; then: go test ./cmd/troupe -run TestStates -record-states", len(added), added[0])
	}
	all := slices.DeleteFunc(append(recorded, added...), func(line string) bool { return line == "" })
	slices.Sort(all)
	if err := os.WriteFile(statesFile, []byte(strings.Join(all, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}
