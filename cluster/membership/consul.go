package membership

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/cluster/store/consul"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	defaultPrefix = "troupe"
	memberFolder  = "members/"

	// sessionTTL is the least that Consul allows. It ends a session when it was
	// not renewed for between one and two of it.
	sessionTTL = 10 * time.Second

	// lockDelay is for how long Consul keeps a key from being locked again after
	// a session has ended; 0 would mean its default of 15 s. The key of a node that
	// starts again must be free at once; commits are guarded by the session itself.
	lockDelay = time.Millisecond

	// watchWait is how long one blocking query may last. Consul adds up to a
	// sixteenth.
	watchWait = 30 * time.Second

	moveEvery = 700 * time.Millisecond

	updateTries = 4
)

// ConsulConfig says which Consul, and where in it.
type ConsulConfig struct {
	// Address, Token, TLS and Prefix count; they are the store's.
	consul.Config
	Log zerolog.Logger
}

// Consul is the member table in Consul's key-value store: one entry a member,
// locked by its session. Nothing depends on a Consul agent of one's own, so
// sessions are bound to no health check.
type Consul struct {
	client *consul.Client
	root   string
	log    zerolog.Logger

	mu       sync.Mutex
	moved    time.Time         // when another server was last preferred
	sessions map[string]string // by member id
	oddities map[string]uint64 // keys that hold no member, and the index at which that was logged
}

var _ Table = (*Consul)(nil)

// NewConsul makes a table; it dials when used. Errors wrap messages.Invalid.
func NewConsul(c ConsulConfig) (*Consul, error) {
	client, err := consul.Connect(c.Config)
	if err != nil {
		return nil, err
	}
	root := strings.Trim(cmp.Or(c.Prefix, defaultPrefix), "/") + "/" + memberFolder
	return &Consul{
		client: client, root: root, log: c.Log, sessions: map[string]string{}, oddities: map[string]uint64{},
	}, nil
}

// Close closes its connections.
func (t *Consul) Close() { t.client.Close() }

func (t *Consul) key(m view.Member) string { return t.root + m.Name }

func (t *Consul) session(m view.Member) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sessions[m.ID]
}

func (t *Consul) setSession(m view.Member, session string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions[m.ID] = session; session == "" {
		delete(t.sessions, m.ID)
	}
}

// Fence is Table's.
func (t *Consul) Fence(m view.Member) (key, session string) {
	if session = t.session(m); session == "" {
		return "", ""
	}
	return t.key(m), session
}

// failed explains an error, and tries another server the next time.
func (t *Consul) failed(ctx context.Context, what string, err error) error {
	err = consul.Explain(err)
	if errors.Is(err, messages.Unavailable) && ctx.Err() != context.Canceled {
		t.move()
	}
	return fmt.Errorf("%s: %w", what, err)
}

// move prefers another server, once for all requests that fail together.
func (t *Consul) move() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); now.Sub(t.moved) >= moveEvery {
		t.moved = now
		t.client.Move()
	}
}

func strict(ctx context.Context) *api.QueryOptions {
	return (&api.QueryOptions{RequireConsistent: true}).WithContext(ctx)
}

func writing(ctx context.Context) *api.WriteOptions { return (&api.WriteOptions{}).WithContext(ctx) }

// txn performs operations, all or none. A conflict is an error of its own.
func (t *Consul) txn(ctx context.Context, what string, ops api.TxnOps) (api.TxnResults, error) {
	ok, response, _, err := t.client.Txn().Txn(ops, (&api.QueryOptions{}).WithContext(ctx))
	switch {
	case err != nil && consul.NeverTaken(err):
		return nil, fmt.Errorf("%w: %w", ErrUntouched, t.failed(ctx, what, err))
	case err != nil:
		return nil, t.failed(ctx, what, err)
	case !ok:
		return nil, &refusal{response.Errors}
	}
	return response.Results, nil
}

// refusal is a transaction that was not done, as something was not as expected.
type refusal struct{ errors api.TxnErrors }

func (r *refusal) Error() string {
	if len(r.errors) == 0 {
		return "Consul refused the transaction"
	}
	return "Consul refused the transaction: " + r.errors[0].What
}

// first is the position of the operation that failed first.
func (r *refusal) first() int {
	if len(r.errors) == 0 {
		return -1
	}
	return r.errors[0].OpIndex
}

// denied tells a refusal by Consul's access control from one by the data.
func (r *refusal) denied() bool {
	for _, e := range r.errors {
		if strings.Contains(e.What, "Permission denied") {
			return true
		}
	}
	return false
}

// Confirm is Table's.
func (t *Consul) Confirm(ctx context.Context, m view.Member) (bool, error) {
	pair, _, err := t.client.KV().Get(t.key(m), strict(ctx))
	if err != nil {
		return false, t.failed(ctx, "ask Consul whether this is a member", err)
	}
	return t.mine(pair, m), nil
}

// mine reports whether an entry is this very registration.
func (t *Consul) mine(pair *api.KVPair, m view.Member) bool {
	if pair == nil || pair.Session == "" || pair.Session != t.session(m) {
		return false
	}
	held, err := decodeRecord(m.Name, pair.Value)
	return err == nil && held.ID == m.ID
}

// Renew is Table's.
func (t *Consul) Renew(ctx context.Context, m view.Member) error {
	session := t.session(m)
	if session == "" {
		return ErrGone
	}
	entry, _, err := t.client.Session().Renew(session, writing(ctx))
	if err != nil {
		return t.failed(ctx, "renew the session in Consul", err)
	}
	if entry == nil {
		return ErrGone
	}
	return nil
}

// Watch is Table's.
func (t *Consul) Watch(ctx context.Context, after uint64) (*view.View, error) {
	return t.list(ctx, (&api.QueryOptions{WaitIndex: after, WaitTime: watchWait}).WithContext(ctx))
}

// Read is Table's.
func (t *Consul) Read(ctx context.Context) (*view.View, error) { return t.list(ctx, strict(ctx)) }

func (t *Consul) list(ctx context.Context, o *api.QueryOptions) (*view.View, error) {
	pairs, meta, err := t.client.KV().List(t.root, o)
	if err != nil {
		return nil, t.failed(ctx, "read the member table in Consul", err)
	}
	var members []view.Member
	for _, pair := range pairs {
		if m, ok := t.member(pair); ok {
			members = append(members, m)
		}
	}
	return view.New(meta.LastIndex, members), nil
}

// member is who an entry says is a member. What is not locked by a session would
// never go away by itself: hands wrote it, and it counts for nothing.
func (t *Consul) member(pair *api.KVPair) (view.Member, bool) {
	m, err := decodeRecord(strings.TrimPrefix(pair.Key, t.root), pair.Value)
	if err == nil && pair.Session == "" {
		err = fmt.Errorf("no session holds it: %w", messages.Invalid)
	}
	if err != nil {
		t.odd(pair, err)
		return m, false
	}
	m.Epoch += pair.CreateIndex
	return m, true
}

// odd logs an entry that is no member's, once.
func (t *Consul) odd(pair *api.KVPair, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.oddities[pair.Key] == pair.ModifyIndex || len(t.oddities) > 1000 {
		return
	}
	t.oddities[pair.Key] = pair.ModifyIndex
	t.log.Warn().Err(err).Str("key", pair.Key).Msg("an entry of the member table is ignored")
}
