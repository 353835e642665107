package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

const (
	registered = 6 // servers, each with one register at a time
	writers    = 6 // users of them, at once
	mixed      = 4 // of those write too; the others go on to read while writes wait
	// registerTimeout is after how long a user gives a node up and asks another.
	registerTimeout = 2 * time.Second
	checkAtMost     = 60 * time.Second
	// A register is given up for a new one after so many operations of unknown
	// outcome: each may still take effect at any later moment, and the checker
	// must try all ways.
	maxUnknown = 8
	maxHistory = 400
	// Of a history that is wrong, so many operations are printed on each side.
	shownOperations = 24
)

// register is what holds registers, each under a key of its own.
type register interface {
	String() string
	// write and read may end with errUnknown, or with refused; of a register that
	// was never written with refused 404.
	write(ctx context.Context, node int, key, value string) error
	read(ctx context.Context, node int, key string) (string, error)
}

// metadata is that of a server.
type metadata struct {
	c  *cloud
	id string
}

func (m metadata) String() string { return m.id }

func (m metadata) path(key string) string {
	return "/compute/v2.1/servers/" + m.id + "/metadata/" + key
}

func (m metadata) write(ctx context.Context, node int, key, value string) error {
	return m.c.call(ctx, node, http.MethodPut, m.path(key), map[string]any{"meta": map[string]string{key: value}}, nil)
}

func (m metadata) read(ctx context.Context, node int, key string) (string, error) {
	var answer struct{ Meta map[string]string }
	err := m.c.call(ctx, node, http.MethodGet, m.path(key), nil, &answer)
	return answer.Meta[key], err
}

// registers are the metadata of those servers, and configs.
func (c *cloud) registers(ids []string) (all []register) {
	for _, id := range ids {
		all = append(all, metadata{c, id})
	}
	for i := range configs {
		all = append(all, configKey{c, fmt.Sprintf("config-%d", i)})
	}
	return all
}

// operation is one use of a register.
type operation struct {
	register string
	write    bool
	value    string // written
}

// history is what all users saw, register by register.
type history struct {
	mu      sync.Mutex
	began   time.Time
	done    []porcupine.Operation
	unknown map[string]int
	count   map[string]int
}

func newHistory() *history {
	return &history{began: time.Now(), unknown: map[string]int{}, count: map[string]int{}}
}

func (h *history) add(user int, op operation, call time.Time, output string, known bool) {
	o := porcupine.Operation{ClientId: user, Input: op, Call: int64(call.Sub(h.began)), Output: output, Return: int64(time.Since(h.began))}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !known {
		o.Return = math.MaxInt64 // it may take effect at any time
		h.unknown[op.register]++
	}
	h.count[op.register]++
	h.done = append(h.done, o)
}

// worn says whether a register has had enough.
func (h *history) worn(register string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.unknown[register] >= maxUnknown || h.count[register] >= maxHistory
}

// model is a register that holds a text, empty at first.
var model = porcupine.Model{
	Partition: func(all []porcupine.Operation) (parts [][]porcupine.Operation) {
		at := map[string]int{}
		for _, o := range all {
			r := o.Input.(operation).register
			i, known := at[r]
			if !known {
				i = len(parts)
				at[r], parts = i, append(parts, nil)
			}
			parts[i] = append(parts[i], o)
		}
		return parts
	},
	Init: func() any { return "" },
	Step: func(state, in, out any) (bool, any) {
		op := in.(operation)
		if op.write {
			return true, op.value
		}
		return out.(string) == state.(string), state
	},
	DescribeOperation: func(in, out any) string {
		op := in.(operation)
		if op.write {
			return fmt.Sprintf("%s := %s", op.register, op.value)
		}
		return fmt.Sprintf("%s = %s", op.register, out)
	},
}

// check says whether the history of every register is linearizable, and if not,
// what was seen about the moment from which on nothing explains it.
func (h *history) check() (operations int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, one := range model.Partition(h.done) {
		result, info := porcupine.CheckOperationsVerbose(model, one, checkAtMost)
		switch result {
		case porcupine.Illegal:
			err = errors.Join(err, fmt.Errorf("%s is not linearizable:\n%s", one[0].Input.(operation).register, unexplained(one, info)))
		case porcupine.Unknown:
			err = errors.Join(err, fmt.Errorf("the checker of %s came to no end in %v", one[0].Input.(operation).register, checkAtMost))
		}
	}
	return len(h.done), err
}

// unexplained prints the operations that end the longest order that could be
// found, and those which it leaves out.
func unexplained(all []porcupine.Operation, info porcupine.LinearizationInfo) string {
	var longest []porcupine.Operation
	for _, order := range info.PartialLinearizationsOperations()[0] {
		if len(order) > len(longest) {
			longest = order
		}
	}
	placed := map[porcupine.Operation]bool{}
	for _, o := range longest {
		placed[o] = true
	}
	var out strings.Builder
	say := func(o porcupine.Operation) {
		end := "never answered"
		if o.Return != math.MaxInt64 {
			end = fmt.Sprintf("%9.3f s", time.Duration(o.Return).Seconds())
		}
		fmt.Fprintf(&out, "  %9.3f s to %s, user %d: %s\n", time.Duration(o.Call).Seconds(), end, o.ClientId, model.DescribeOperation(o.Input, o.Output))
	}
	out.WriteString("one order goes so far:\n")
	for _, o := range longest[max(0, len(longest)-shownOperations):] {
		say(o)
	}
	out.WriteString("and leaves out:\n")
	slices.SortFunc(all, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	shown := 0
	for _, o := range all {
		if !placed[o] && shown < shownOperations {
			say(o)
			shown++
		}
	}
	return out.String()
}

// useRegisters writes and reads registers, through all nodes, until ctx ends.
func (c *cloud) useRegisters(ctx context.Context, user int, all []register, h *history, watch *outages) {
	dice := rand.New(rand.NewPCG(uint64(user), 7))
	generation := make([]int, len(all))
	for n := 0; ctx.Err() == nil; n++ {
		i, node := dice.IntN(len(all)), dice.IntN(members)
		key := fmt.Sprintf("r%d", generation[i])
		op := operation{register: all[i].String() + "/" + key, write: user < mixed && dice.IntN(2) == 0, value: fmt.Sprintf("%d-%d", user, n)}
		if h.worn(op.register) {
			generation[i]++
			continue
		}
		began := time.Now()
		asking, cancel := context.WithTimeout(ctx, registerTimeout)
		if op.write {
			err := all[i].write(asking, node, key, op.value)
			if err == nil || errors.Is(err, errUnknown) {
				h.add(user, op, began, "", err == nil)
			} else {
				watch.odd(fmt.Errorf("write %s: %w", op.register, err))
			}
		} else {
			value, err := all[i].read(asking, node, key)
			switch {
			case err == nil:
				h.add(user, op, began, value, true)
			case isRefused(err, http.StatusNotFound):
				h.add(user, op, began, "", true) // nobody has written it yet
			case !errors.Is(err, errUnknown):
				watch.odd(fmt.Errorf("read %s: %w", op.register, err))
			}
		}
		cancel()
		sleep(ctx, time.Duration(5+dice.IntN(30))*time.Millisecond)
	}
}
