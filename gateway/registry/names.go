package registry

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/messages"
)

// Times and limits of Names.
const (
	namesEvery  = time.Second           // between two looks at a list, if looking is quick
	namesShare  = 20                    // looking takes no more than one part in so many of the time
	namesHaste  = 20 * time.Millisecond // between a hint and the look it causes, if looking is quick
	namesTell   = 20 * time.Millisecond // for which hints gather before other nodes are told
	namesHeard  = 2 * time.Second       // for other nodes to have heard of them
	namesPage   = 1000                  // entries read at once
	namesTime   = 30 * time.Second      // of one look
	namesLinger = 30 * time.Second      // for which a list is looked at after its last watcher left

	// MaxNames is how many names of one list are watched; those behind are not seen.
	MaxNames = 200_000
)

// Name is one service or key that exists.
type Name struct {
	Namespace, Group, Name string
	Mark                   string // differs when the content of a key does; empty for services
}

// NameChange is what happened to a name: Added, Removed, or else its Mark changed.
type NameChange struct {
	Name
	Added, Removed bool
}

// NamesWatcher hears what happened, a batch at a time. It must not block.
type NamesWatcher interface{ NamesChanged([]NameChange) }

// Names watches which services and keys there are: it looks at the lists that
// somebody watches, each once for all watchers on this node. Who changes something
// says so with Hint, and it is seen sooner, on all nodes. Safe for concurrent use.
type Names struct {
	cloud  Cloud
	nodes  nodes  // nil: there is none but this one
	mark   string // of this node, for what it tells others
	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu      sync.Mutex
	lists   map[string]*names
	hints   map[namesOf]struct{} // that other nodes have not been told of
	telling bool
}

// names is one list.
type names struct {
	all      *Names
	prefix   string
	decode   func([]byte) (Name, error)
	hint     chan struct{}
	ready    chan struct{} // closed after the first look
	watchers map[NamesWatcher]int
	idle     time.Time
	took     time.Duration   // by the last look
	known    map[string]Name // by index key; of the looker, and under all.mu for others
}

// NewNames makes names that live until Close.
func NewNames(cloud Cloud) *Names {
	n := &Names{cloud: cloud, mark: rand.Text(), lists: map[string]*names{}, hints: map[namesOf]struct{}{}}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	if all, ok := cloud.(nodes); ok {
		n.nodes = all
		all.Answer(&messages.NamesChanged{}, n.heard)
	}
	return n
}

// Close ends all looking.
func (n *Names) Close() {
	n.mu.Lock()
	n.cancel()
	n.mu.Unlock()
	n.tasks.Wait()
}

// NamesPrefix is the index prefix of a kind's names in a namespace.
func NamesPrefix(kind, namespace string) string { return kind + "/" + escape(namespace) + "/" }

// Watch has w hear of the names of a kind (ServiceKind, ConfigKind) in one
// namespace until stop is called, and lists those that there are now. Unavailable
// if ctx ends before the first look has.
func (n *Names) Watch(ctx context.Context, kind, namespace string, w NamesWatcher) (now []Name, stop func(), err error) {
	l, err := n.join(kind, NamesPrefix(kind, namespace), w)
	if err != nil {
		return nil, nil, err
	}
	var once sync.Once
	stop = func() { once.Do(func() { n.leave(l, w) }) }
	select {
	case <-l.ready:
	case <-ctx.Done():
		stop()
		return nil, nil, unanswered(l.prefix)
	case <-n.ctx.Done():
		return nil, nil, unanswered(l.prefix)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	now = make([]Name, 0, len(l.known))
	for _, name := range l.known {
		now = append(now, name)
	}
	return now, stop, nil
}

// Hint says that names of a kind in a namespace may just have changed. A nil Names
// takes it too.
func (n *Names) Hint(kind, namespace string) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hurry(kind, namespace)
	if n.nodes != nil && n.ctx.Err() == nil {
		n.tell(namesOf{kind, namespace})
	}
}

// hurry has a list looked at soon, if anybody here watches it. Called under n.mu.
func (n *Names) hurry(kind, namespace string) {
	if len(n.lists) == 0 {
		return
	}
	if l := n.lists[NamesPrefix(kind, namespace)]; l != nil {
		select {
		case l.hint <- struct{}{}:
		default:
		}
	}
}

func (n *Names) join(kind, prefix string, w NamesWatcher) (*names, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ctx.Err() != nil {
		return nil, unanswered(prefix)
	}
	l := n.lists[prefix]
	if l == nil {
		l = &names{
			all: n, prefix: prefix, decode: decoders[kind], hint: make(chan struct{}, 1),
			ready: make(chan struct{}), watchers: map[NamesWatcher]int{},
		}
		n.lists[prefix] = l
		n.tasks.Go(l.run)
	}
	l.watchers[w]++
	return l, nil
}

func (n *Names) leave(l *names, w NamesWatcher) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l.watchers[w]--; l.watchers[w] <= 0 {
		delete(l.watchers, w)
	}
	l.idle = time.Now()
}

var decoders = map[string]func([]byte) (Name, error){
	ServiceKind: func(raw []byte) (Name, error) {
		var e messages.ServiceEntry
		err := proto.Unmarshal(raw, &e)
		return Name{Namespace: e.GetNamespace(), Group: e.GetGroup(), Name: e.GetName()}, err
	},
	ConfigKind: func(raw []byte) (Name, error) {
		var e messages.ConfigEntry
		err := proto.Unmarshal(raw, &e)
		return Name{Namespace: e.GetNamespace(), Group: e.GetGroup(), Name: e.GetDataId(), Mark: e.GetMd5()}, err
	},
}

// run looks again and again until nobody watches any more.
func (l *names) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	due := time.Now()
	for {
		select {
		case <-timer.C:
		case <-l.hint:
			if soon := time.Now().Add(max(namesHaste, namesShare*l.took)); soon.Before(due) {
				due = soon
				timer.Reset(time.Until(due))
			}
			continue
		case <-l.all.ctx.Done():
			return
		}
		began := time.Now()
		if l.abandoned(began) {
			return
		}
		l.look()
		l.took = time.Since(began)
		due = time.Now().Add(max(namesEvery, namesShare*l.took))
		timer.Reset(time.Until(due))
	}
}

func (l *names) abandoned(now time.Time) bool {
	l.all.mu.Lock()
	defer l.all.mu.Unlock()
	if len(l.watchers) > 0 || now.Sub(l.idle) < namesLinger {
		return false
	}
	delete(l.all.lists, l.prefix)
	return true
}

// look reads the list and tells what differs from before. If it cannot be read,
// nothing is said.
func (l *names) look() {
	now, err := l.read()
	if err != nil {
		return
	}
	l.all.mu.Lock()
	first := l.known == nil
	var changes []NameChange
	if !first {
		changes = differences(l.known, now)
	}
	l.known = now
	watchers := make([]NamesWatcher, 0, len(l.watchers))
	for w := range l.watchers {
		watchers = append(watchers, w)
	}
	l.all.mu.Unlock()
	if first {
		close(l.ready)
	}
	if len(changes) > 0 {
		for _, w := range watchers {
			w.NamesChanged(changes)
		}
	}
}

func differences(before, now map[string]Name) (changes []NameChange) {
	for key, name := range now {
		was, is := before[key]
		if !is || was.Mark != name.Mark {
			changes = append(changes, NameChange{Name: name, Added: !is})
		}
	}
	for key, name := range before {
		if _, is := now[key]; !is {
			changes = append(changes, NameChange{Name: name, Removed: true})
		}
	}
	return changes
}

func (l *names) read() (map[string]Name, error) {
	ctx, cancel := context.WithTimeout(l.all.ctx, namesTime)
	defer cancel()
	all := map[string]Name{}
	for page := (cluster.Page{Prefix: l.prefix, Limit: namesPage}); ; {
		entries, more, err := l.all.cloud.List(ctx, page)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if name, err := l.decode(e.Value); err == nil {
				all[e.Key] = name
			}
		}
		if !more || len(entries) == 0 || len(all) >= MaxNames {
			return all, nil
		}
		page.After = entries[len(entries)-1].Key
	}
}
