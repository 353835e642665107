package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// ear keeps the revisions that it heard.
type ear struct{ heard []int64 }

func (e *ear) Hear(_ *Subscription, s *State) { e.heard = append(e.heard, s.Revision) }
func (e *ear) Client() Client                 { return Client{IP: "10.0.0.1"} }

var web = actors.Ref{Kind: ServiceKind, ID: "public@@g@@web"}

func listening(t *testing.T, f func(*cloud, *Feeds, *ear, *Subscription)) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(nil)
		feeds := NewFeeds(c)
		e := &ear{}
		s, err := feeds.Subscribe(web, e)
		if err != nil {
			t.Fatal(err)
		}
		f(c, feeds, e, s)
		feeds.Close()
	})
}

func TestSeldomChangesAreToldAtOnce(t *testing.T) {
	listening(t, func(c *cloud, _ *Feeds, e *ear, _ *Subscription) {
		for i := range 3 {
			began := time.Now()
			c.change(web, &messages.Service{Revision: int64(i + 1)}, nil)
			synctest.Wait()
			if len(e.heard) != i+1 || !time.Now().Equal(began) {
				t.Fatalf("after change %d: heard %v after %v", i, e.heard, time.Since(began))
			}
			time.Sleep(mergeTime)
		}
	})
}

func TestStormIsMerged(t *testing.T) {
	listening(t, func(c *cloud, _ *Feeds, e *ear, _ *Subscription) {
		for i := range 1000 { // one second of it
			c.change(web, &messages.Service{Revision: int64(i + 1)}, nil)
			time.Sleep(time.Millisecond)
		}
		time.Sleep(mergeTime)
		synctest.Wait()
		if n := len(e.heard); n < 5 || n > 12 || e.heard[n-1] != 1000 || !slices.IsSorted(e.heard) {
			t.Errorf("heard %v", e.heard)
		}
	})
}

func TestRevisionGrowsOverRemovals(t *testing.T) {
	listening(t, func(c *cloud, _ *Feeds, e *ear, s *Subscription) {
		ahead := time.Now().Add(time.Hour).UnixMilli()
		for _, change := range []error{nil, messages.NotFound, nil} {
			if change != nil {
				c.change(web, nil, fmt.Errorf("gone: %w", change))
			} else {
				c.change(web, &messages.Service{Revision: ahead}, nil)
				time.Sleep(mergeTime)
				c.change(web, &messages.Service{Revision: ahead}, nil) // nothing new
			}
			time.Sleep(mergeTime)
		}
		c.change(web, nil, fmt.Errorf("oh: %w", messages.Internal)) // nothing that could be told
		time.Sleep(mergeTime)
		synctest.Wait()
		if want := []int64{ahead, ahead + 1, ahead + 2}; !slices.Equal(e.heard, want) {
			t.Errorf("heard %v, want %v", e.heard, want)
		}
		if st := s.State(); st.Number != 3 || st.Service == nil {
			t.Errorf("the state is %+v", st)
		}
	})
}

func TestFeedLingersAndEnds(t *testing.T) {
	listening(t, func(c *cloud, f *Feeds, e *ear, s *Subscription) {
		c.change(web, &messages.Service{Revision: 1}, nil)
		synctest.Wait()
		s.Cancel()
		s.Cancel()
		time.Sleep(linger / 2)
		again, err := f.Subscribe(web, e)
		if err != nil || again.State() == nil || c.watched(web) != 1 {
			t.Fatalf("the feed did not go on: %v", err)
		}
		again.Cancel()
		time.Sleep(linger + 2*sweepTime)
		synctest.Wait()
		if feeds, listeners := f.Len(); feeds != 0 || listeners != 0 || c.watched(web) != 0 {
			t.Errorf("%d feeds with %d listeners are left", feeds, listeners)
		}
	})
}

func TestManyListenOnce(t *testing.T) {
	listening(t, func(c *cloud, f *Feeds, _ *ear, _ *Subscription) {
		ears := make([]ear, 1000)
		var subs []*Subscription
		for i := range ears {
			s, err := f.Subscribe(web, &ears[i])
			if err != nil {
				t.Fatal(err)
			}
			subs = append(subs, s)
		}
		if c.watched(web) != 1 || len(f.Listeners(web)) != 1001 {
			t.Fatalf("%d watches for %d listeners", c.watched(web), len(f.Listeners(web)))
		}
		for i := 0; i < len(subs); i += 2 {
			subs[i].Cancel()
		}
		c.change(web, &messages.Service{Revision: 7}, nil)
		synctest.Wait()
		for i := range ears {
			if want := i % 2; len(ears[i].heard) != want {
				t.Fatalf("listener %d heard %v", i, ears[i].heard)
			}
		}
	})
}

func TestSubscribeRefuses(t *testing.T) {
	listening(t, func(_ *cloud, f *Feeds, e *ear, _ *Subscription) {
		if _, err := f.Subscribe(actors.Ref{Kind: "host", ID: "a"}, e); !errors.Is(err, messages.Invalid) {
			t.Errorf("got %v", err)
		}
		if _, err := f.Subscribe(actors.Ref{Kind: ServiceKind, ID: "too-many"}, e); !errors.Is(err, messages.Exhausted) {
			t.Errorf("got %v", err)
		}
		f.Close()
		if _, err := f.Subscribe(web, e); !errors.Is(err, messages.Unavailable) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAwait(t *testing.T) {
	listening(t, func(c *cloud, _ *Feeds, _ *ear, s *Subscription) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := s.Await(ctx); !errors.Is(err, messages.Unavailable) {
			t.Errorf("got %v", err)
		}
		c.change(web, &messages.Service{Revision: 3}, nil)
		if st, err := s.Await(context.Background()); err != nil || st.Revision != 3 {
			t.Errorf("got %+v, %v", st, err)
		}
	})
}

func TestRendered(t *testing.T) {
	made := 0
	render := func() []byte { made++; return []byte("x") }
	s := &State{}
	r := NewRenders()
	for range 3 {
		s.Rendered("a", render)
		r.Rendered(web, 1, "a", render)
	}
	if made != 2 {
		t.Errorf("rendered %d times", made)
	}
	r.Rendered(web, 2, "a", render)
	r.Rendered(web, 1, "a", render)
	if made != 4 {
		t.Errorf("rendered %d times", made)
	}
}

func TestRendersAreBounded(t *testing.T) {
	r := NewRenders()
	for i := range 20_000 {
		r.Rendered(actors.Ref{Kind: ServiceKind, ID: fmt.Sprint(i)}, 1, "", func() []byte { return make([]byte, 8<<10) })
	}
	total := 0
	for i := range r.shards {
		total += r.shards[i].bytes
	}
	if total > maxRendered || total < maxRendered/2 {
		t.Errorf("%d bytes are kept", total)
	}
}
