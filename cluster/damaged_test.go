package cluster_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/messages"
)

// TestDamaged: a grain whose record was edited into nonsense refuses everything,
// says which key it is, and writes nothing; once it is mended it goes on.
func TestDamaged(t *testing.T) {
	record := func(edit func(*messages.Record)) []byte {
		r := &messages.Record{Schema: 1, Activation: "a", Version: 1, State: []byte(`{"N":3}`)}
		edit(r)
		raw, err := proto.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	key, row := actors.RecordKey(counterRef("a")), actors.RowKey(counterRef("a"), "rows", "x")
	for name, tt := range map[string]struct{ record, row []byte }{
		"text":             {[]byte("hello, I fixed it"), nil},
		"nothing":          {[]byte{}, nil},
		"a format to come": {record(func(r *messages.Record) { r.Schema = actors.Format + 1 }), nil},
		"no format":        {record(func(r *messages.Record) { r.Schema = 0 }), nil},
		"no activation":    {record(func(r *messages.Record) { r.Activation = "" }), nil},
		"no version":       {record(func(r *messages.Record) { r.Version = 0 }), nil},
		"no state":         {record(func(r *messages.Record) { r.State = nil }), nil},
		"half a state":     {record(func(r *messages.Record) { r.State = []byte(`{"N":`) }), nil},
		"other types":      {record(func(r *messages.Record) { r.State = []byte(`{"N":"many"}`) }), nil},
		"a row":            {record(func(*messages.Record) {}), []byte("?")},
	} {
		t.Run(name, func(t *testing.T) {
			s := mem.New()
			put := func(key string, value []byte) {
				if _, err := s.Commit(context.Background(), store.Txn{Writes: []store.Write{{Key: key, Value: value}}}); err != nil {
					t.Fatal(err)
				}
			}
			put(key, tt.record)
			if tt.row != nil {
				put(row, tt.row)
			}
			before, err := s.Get(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			n := start(t, s)
			for _, m := range []actors.Message{count("x"), &messages.GetQuota{}, &messages.ResetQuota{}} {
				_, err := n.Client().Ask(t.Context(), counterRef("a"), m)
				if !errors.Is(err, messages.Internal) || !strings.Contains(messages.Sentence(err), key) {
					t.Errorf("%T: %v", m, err)
				}
			}
			after, err := s.Get(t.Context(), key)
			if err != nil || after.Revision != before.Revision {
				t.Errorf("it was written over: %v", err)
			}
			state, err := json.Marshal(counter{N: 7})
			if err != nil {
				t.Fatal(err)
			}
			put(key, record(func(r *messages.Record) { r.State = state }))
			put(row, []byte("7"))
			if got := mustCount(t, n, "a", "x"); got != 8 {
				t.Errorf("mended, it counts %d", got)
			}
		})
	}
}
