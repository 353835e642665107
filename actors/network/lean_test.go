package network

import (
	"slices"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

const timedID = "01a205c8-569b-71eb-912a-95f53b697c6d" // of version 7

// TestLean: ports that follow from their instance's id have no row and no entry beside
// their own, are the same when they are asked for again, and are given back.
func TestLean(t *testing.T) {
	t.Parallel()
	ask := want(timedID, &messages.NetworkRequest{}, fixed("10.0.0.9"))
	s := must(t, made("10.0.0.0/24", ask)...)
	ids := s.PortsOf(timedID)
	if len(ids) != 2 || s.Ports.Len() != 2 || s.Instances.Len() != 0 {
		t.Fatalf("the ports %v, %d are kept, %d rows of instances", ids, s.Ports.Len(), s.Instances.Len())
	}
	for _, id := range ids {
		keys := rowKeys(s, id)
		if slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, indexInstance) }) || len(keys) != 3 {
			t.Errorf("the index of %s: %v", id, keys)
		}
		if moment := IndexMomentPorts(owner, timedID); moment == "" || !strings.HasPrefix(IndexProjectPorts(owner)+id, moment) {
			t.Errorf("%s is not below %q", id, moment)
		}
	}
	again, effects, err := step(s, ask)
	if got := told(t, effects).(*messages.PortsAllocated); err != nil || len(got.Ports) != 2 || got.Ports[1].Address != "10.0.0.9" || again.Ports != s.Ports {
		t.Errorf("asked again: %v, %v", effects, err)
	}
	s, _, err = step(s, &messages.ReleasePorts{InstanceId: timedID})
	if err != nil || s.Ports.Len() != 0 || s.Blocks.Len() != 0 || len(s.PortsOf(timedID)) != 0 {
		t.Errorf("%d ports and %d blocks are left: %v", s.Ports.Len(), s.Blocks.Len(), err)
	}
}

// TestNotLean: a user's port among them does not follow from the id, nor do ports that
// are written for an older node; such an instance has its row and its entries.
func TestNotLean(t *testing.T) {
	t.Parallel()
	lent := must(t, made("10.0.0.0/24", &messages.CreatePort{Id: "p", ProjectId: owner}, want(timedID, port("p"), &messages.NetworkRequest{}))...)
	older, _, err := Step(must(t, made("10.0.0.0/24")...), actors.Input{ID: netID, Now: now, Message: want(timedID), Format: actors.FormatFirst})
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]State{"lent": lent, "for an older node": older} {
		ids := s.PortsOf(timedID)
		row, _ := s.Instances.Get(timedID)
		if len(ids) == 0 || !slices.Equal(ids, row) || len(rowKeys(s, ids[0])) != 4 {
			t.Errorf("%s: the ports %v, the row %v, the index %v", name, ids, row, rowKeys(s, ids[0]))
		}
		s, _, err := step(s, &messages.ReleasePorts{InstanceId: timedID})
		if _, kept := s.Ports.Get("p"); err != nil || s.Instances.Len() != 0 || kept != (name == "lent") || s.Ports.Len() > 1 {
			t.Errorf("%s, released: %d ports, %d rows, %v", name, s.Ports.Len(), s.Instances.Len(), err)
		}
	}
	if IndexMomentPorts(owner, "i") != "" {
		t.Error("an id without a time has a moment")
	}
}

func rowKeys(s State, port string) (keys []string) {
	for _, e := range rowIndex(s, portsTable, port) {
		keys = append(keys, e.Key)
	}
	return keys
}
