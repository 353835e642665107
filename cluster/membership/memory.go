package membership

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

const memoryWait = 30 * time.Second // of one Watch

// Memory is a Table for members of one process, with the faults of a real one.
type Memory struct {
	mu      sync.Mutex
	index   uint64
	records map[string]entry // by name
	changed chan struct{}
	down    bool
	cut     map[string]bool // names of nodes that cannot reach it
	ttl     time.Duration
}

type entry struct {
	member  view.Member
	expires *time.Timer
}

var _ Table = (*Memory)(nil)

// NewMemory makes a table that forgets a member whom nobody renews for ttl, as
// Consul does with sessions; 0: never.
func NewMemory(ttl time.Duration) *Memory {
	return &Memory{index: 1, records: map[string]entry{}, changed: make(chan struct{}), cut: map[string]bool{}, ttl: ttl}
}

// SetDown makes the table answer nobody, until it is set up again.
func (t *Memory) SetDown(down bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.down = down
	t.wake()
	for name, e := range t.records {
		if e.expires != nil && down {
			e.expires.Stop()
		} else if !down {
			t.prolong(name)
		}
	}
}

// Cut makes the table answer the node of that name no more, or again.
func (t *Memory) Cut(name string, cut bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cut[name] = cut
	t.wake()
}

// Wipe forgets everything, the index too.
func (t *Memory) Wipe() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.records {
		e.stop()
	}
	clear(t.records)
	t.index = 1
	t.wake()
}

// Close ends its timers.
func (t *Memory) Close() { t.Wipe() }

func (e entry) stop() {
	if e.expires != nil {
		e.expires.Stop()
	}
}

// wake lets watchers look again. Called under mu, as all that follow.
func (t *Memory) wake() {
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *Memory) change() { t.index++; t.wake() }

func (t *Memory) reach(name string) error {
	if t.down || t.cut[name] {
		return fmt.Errorf("the member table cannot be reached: %w", messages.Unavailable)
	}
	return nil
}

func (t *Memory) prolong(name string) {
	e := t.records[name]
	e.stop()
	if t.ttl > 0 {
		id := e.member.ID
		e.expires = time.AfterFunc(t.ttl, func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.drop(name, id)
		})
	}
	t.records[name] = e
}

func (t *Memory) drop(name, id string) {
	if e, ok := t.records[name]; ok && e.member.ID == id {
		e.stop()
		delete(t.records, name)
		t.change()
	}
}

func (t *Memory) view() *view.View {
	var members []view.Member
	for _, e := range t.records {
		members = append(members, e.member)
	}
	return view.New(t.index, members)
}

// As is the table as the node of that name reaches it.
func (t *Memory) As(name string) Table { return memoryOf{t, name} }

type memoryOf struct {
	*Memory
	name string
}

func (t memoryOf) Watch(ctx context.Context, after uint64) (*view.View, error) {
	return t.watch(ctx, t.name, after)
}

func (t memoryOf) Read(context.Context) (*view.View, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.view(), t.reach(t.name)
}

// Join is Table's.
func (t *Memory) Join(_ context.Context, m view.Member) (view.Member, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.reach(m.Name); err != nil {
		return m, err
	}
	if e, taken := t.records[m.Name]; taken {
		return m, &NameTaken{e.member}
	}
	for _, e := range t.records {
		m.Epoch = max(m.Epoch, e.member.Epoch)
	}
	m.Epoch = max(m.Epoch, t.index) + 1
	t.records[m.Name] = entry{member: m}
	t.prolong(m.Name)
	t.change()
	return m, nil
}

// Watch is Table's.
func (t *Memory) Watch(ctx context.Context, after uint64) (*view.View, error) {
	return t.watch(ctx, "", after)
}

func (t *Memory) watch(ctx context.Context, name string, after uint64) (*view.View, error) {
	wait := time.NewTimer(memoryWait)
	defer wait.Stop()
	for {
		t.mu.Lock()
		v, err, changed := t.view(), t.reach(name), t.changed
		t.mu.Unlock()
		if err != nil || v.Index != after {
			return v, err
		}
		select {
		case <-changed:
		case <-wait.C:
			return v, nil
		case <-ctx.Done():
			return nil, fmt.Errorf("watch: %w: %w", ctx.Err(), messages.Unavailable)
		}
	}
}

// Read is Table's.
func (t *Memory) Read(context.Context) (*view.View, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.view(), t.reach("")
}

// Confirm is Table's.
func (t *Memory) Confirm(_ context.Context, m view.Member) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.records[m.Name].member.ID == m.ID, t.reach(m.Name)
}

// Update is Table's.
func (t *Memory) Update(_ context.Context, m view.Member) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.reach(m.Name); err != nil {
		return err
	}
	e := t.records[m.Name]
	if e.member.ID != m.ID {
		return ErrGone
	}
	e.member.Hosts, e.member.Leaving = m.Hosts, m.Leaving
	t.records[m.Name] = e
	t.change()
	return nil
}

// Evict is Table's.
func (t *Memory) Evict(_ context.Context, by, m view.Member) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.reach(by.Name); err != nil {
		return fmt.Errorf("%w: %w", ErrUntouched, err)
	}
	if by.ID != "" && t.records[by.Name].member.ID != by.ID {
		return fmt.Errorf("%s is no member itself: %w", by.ID, messages.Conflict)
	}
	t.drop(m.Name, m.ID)
	return nil
}

// Leave is Table's.
func (t *Memory) Leave(_ context.Context, m view.Member) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.reach(m.Name); err != nil {
		return err
	}
	t.drop(m.Name, m.ID)
	return nil
}

// Renew is Table's.
func (t *Memory) Renew(_ context.Context, m view.Member) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.reach(m.Name); err != nil {
		return err
	}
	if t.records[m.Name].member.ID != m.ID {
		return ErrGone
	}
	t.prolong(m.Name)
	return nil
}

// Fence is Table's.
func (t *Memory) Fence(m view.Member) (key, session string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.records[m.Name].member.ID != m.ID {
		return "", ""
	}
	return "members/" + m.Name, m.ID
}
