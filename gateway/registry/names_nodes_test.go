package registry

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
)

// member is one node of a cloud of several, with the same index.
type member struct {
	*cloud
	all    *[]*member
	answer cluster.Answerer
}

func (m *member) Answer(_ proto.Message, f cluster.Answerer) { m.answer = f }

func (m *member) Everywhere(ctx context.Context, question proto.Message) (all []cluster.NodeAnswer) {
	for _, o := range *m.all {
		a, err := o.answer(ctx, question)
		all = append(all, cluster.NodeAnswer{Answer: a, Err: err})
	}
	return all
}

// TestNamesOfOtherNodes: what was made through one node is heard of through another
// long before that would look by itself, also while hints come all the time.
func TestNamesOfOtherNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(nil)
		var members []*member
		var all []*Names
		for range 2 {
			m := &member{cloud: c, all: &members}
			members = append(members, m)
			all = append(all, NewNames(m))
		}
		r := &reader{}
		_, stop, err := all[0].Watch(context.Background(), ConfigKind, "public", r)
		if err != nil {
			t.Fatal(err)
		}
		c.mu.Lock()
		c.entries = []actors.Entry{entry("a", "1")}
		c.mu.Unlock()
		began := time.Now()
		for range 40 { // a storm that does not end before the look
			all[1].Hint(ConfigKind, "public")
			all[1].Hint(ServiceKind, "elsewhere")
			time.Sleep(namesTell / 4)
		}
		synctest.Wait()
		if got := r.took(); len(got) != 1 || !got[0].Added || time.Since(began) >= namesEvery {
			t.Errorf("got %v after %v", got, time.Since(began))
		}
		stop()
		for _, n := range all {
			n.Close()
			n.Hint(ConfigKind, "public")
		}
		var none *Names
		none.Hint(ConfigKind, "public")
	})
}
