package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"

	"github.com/troupe-cloud/troupe/cluster/store"
)

// Op is one step of a history: a commit, or a list if List is set.
type Op struct {
	List          bool
	Prefix, After string
	Limit         int
	Writes        []store.Write
	// Checks name keys; Wrong makes the first check one that must fail.
	Checks []string
	Wrong  bool
}

// Random makes a history of n operations from a seed.
func Random(seed uint64, n int) []Op {
	r := rand.New(rand.NewPCG(seed, 1))
	data := make([]byte, n*opBytes)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return Parse(data)
}

const opBytes = 6

// Parse makes a history from arbitrary bytes.
func Parse(data []byte) []Op {
	key := func(b byte) string {
		return strings.Repeat("k/", int(b>>4&1)) + string(rune('a'+b&7)) + strings.Repeat("x", int(b>>5&3))
	}
	var ops []Op
	for ; len(data) >= opBytes; data = data[opBytes:] {
		d := data[:opBytes]
		if d[0]&7 == 0 {
			op := Op{List: true, Limit: int(d[1] & 7)}
			if d[2]&1 == 1 {
				op.Prefix = key(d[3])[:1+int(d[2]>>1)%len(key(d[3]))]
			}
			if d[4]&1 == 1 {
				op.After = key(d[5])
			}
			ops = append(ops, op)
			continue
		}
		op := Op{Wrong: d[0]&56 == 0}
		for i := range int(d[1] & 3) {
			w := store.Write{Key: key(d[2+i])}
			if d[2+i]&8 == 0 {
				w.Value = []byte(fmt.Sprint(d[5], i))
			}
			op.Writes = append(op.Writes, w)
		}
		for i := range int(d[1] >> 2 & 3) {
			op.Checks = append(op.Checks, key(d[5-i]))
		}
		ops = append(ops, op)
	}
	return ops
}

// Replay runs a history on an empty store and on a plain map, and says where
// the two part.
func Replay(s store.Store, ops []Op) error {
	ctx, model := context.Background(), map[string]store.Item{}
	for i, op := range ops {
		if op.List {
			if err := compareList(ctx, s, model, op); err != nil {
				return fmt.Errorf("operation %d: %w", i, err)
			}
			continue
		}
		txn, stale := store.Txn{Writes: op.Writes}, false
		for n, k := range op.Checks {
			rev := model[k].Revision
			if op.Wrong && n == 0 {
				rev, stale = rev+1, true
			}
			txn.Checks = append(txn.Checks, store.Check{Key: k, Revision: rev})
		}
		rev, err := s.Commit(ctx, txn)
		if stale != errors.Is(err, store.ErrStale) || !stale && err != nil {
			return fmt.Errorf("operation %d: stale is %v, got %v", i, stale, err)
		}
		if stale {
			continue
		}
		for _, w := range op.Writes {
			delete(model, w.Key)
			if w.Value != nil {
				model[w.Key] = store.Item{Key: w.Key, Value: w.Value, Revision: rev}
			}
		}
	}
	return compareList(ctx, s, model, Op{})
}

func compareList(ctx context.Context, s store.Store, model map[string]store.Item, op Op) error {
	var want []store.Item
	for k, item := range model {
		if strings.HasPrefix(k, op.Prefix) && k > op.After {
			want = append(want, item)
		}
	}
	sort.Slice(want, func(i, j int) bool { return want[i].Key < want[j].Key })
	wantMore := op.Limit > 0 && len(want) > op.Limit
	if wantMore {
		want = want[:op.Limit]
	}
	got, more, err := s.List(ctx, op.Prefix, op.After, op.Limit)
	if err != nil || more != wantMore || fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Errorf("list %q after %q limit %d: got %v %v %v, want %v %v", op.Prefix, op.After, op.Limit, got, more, err, want, wantMore)
	}
	return nil
}
