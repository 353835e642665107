package registry

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

type reader struct {
	mu  sync.Mutex
	all []NameChange
}

func (r *reader) NamesChanged(some []NameChange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, some...)
}

func (r *reader) took() []NameChange {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.all
	r.all = nil
	return all
}

func entry(dataID, md5 string) actors.Entry {
	raw, _ := proto.Marshal(&messages.ConfigEntry{Namespace: "public", Group: "g", DataId: dataID, Md5: md5})
	return actors.Entry{Key: "config/public/g/" + dataID, Value: raw}
}

func TestNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(nil)
		n := NewNames(c)
		c.entries = []actors.Entry{entry("a", "1"), entry("b", "1"), entry("c", "1")}
		r := &reader{}
		now, stop, err := n.Watch(context.Background(), ConfigKind, "public", r)
		if err != nil || len(now) != 3 {
			t.Fatalf("got %v, %v", now, err)
		}
		c.mu.Lock()
		c.entries = []actors.Entry{entry("b", "2"), entry("c", "1"), entry("d", "1")}
		c.mu.Unlock()
		n.Hint(ConfigKind, "public")
		time.Sleep(2 * namesHaste) // much less than without a hint
		synctest.Wait()
		got := map[string]NameChange{}
		for _, ch := range r.took() {
			got[ch.Name.Name] = ch
		}
		if len(got) != 3 || !got["a"].Removed || !got["d"].Added || got["b"].Added || got["b"].Removed {
			t.Errorf("got %v", got)
		}
		stop()
		stop()
		time.Sleep(namesLinger + 2*namesEvery)
		synctest.Wait()
		if len(n.lists) != 0 || len(r.took()) != 0 {
			t.Errorf("%d lists are left", len(n.lists))
		}
		n.Close()
	})
}
