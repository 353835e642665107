package balancer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestUnsent: a body that nobody has begun to read goes to another server, however
// long it is.
func TestUnsent(t *testing.T) {
	dead, good := newBackend(t), newBackend(t)
	services := servicesOf(t, Config{Rule: &RoundRobin{}}, dead, good)
	dead.Close()
	client := clientOf(t, &Transport{Services: services})
	for range 4 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://web/", io.LimitReader(zeros{}, 1<<20))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	if len(good.bodies) != 4 || len(good.bodies[0]) != 1<<20 {
		t.Errorf("%d bodies arrived", len(good.bodies))
	}
}

// TestLyingCaller: a body that ends too early, or fails, is not the server's fault;
// and a slow one takes no time of the server's.
func TestLyingCaller(t *testing.T) {
	b := newBackend(t)
	services := servicesOf(t, Config{}, b)
	client := clientOf(t, &Transport{Services: services, AnswerTime: time.Minute})
	for range 10 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://web/", io.MultiReader(strings.NewReader("x"), broken{}))
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = 100_000
		if _, err := client.Do(r); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %v", err)
		}
	}
	of, err := services.Get(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	if s := of.Stats()[0]; s.Failed != 0 || s.SuccessiveFailures != 0 || s.Active != 0 || !s.Usable {
		t.Errorf("the server is blamed: %+v", s)
	}
	slow := clientOf(t, &Transport{Services: services, AnswerTime: 300 * time.Millisecond})
	in, out := io.Pipe()
	go func() {
		for range 4 {
			_, _ = out.Write([]byte("x")) // each read by the transport
			pauseFor(context.Background(), 200*time.Millisecond)
		}
		_ = out.Close()
	}()
	resp, err := slow.Post("http://web/", "text/plain", in)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}

// TestImpatientCallers: a server that lets all wait for longer than they can is left
// alone, though it is always they who give up; one whose callers have no time is not.
func TestImpatientCallers(t *testing.T) {
	stalled, busy := newBackend(t), newBackend(t)
	stalled.hang(t)
	busy.hang(t)
	for b, c := range map[*backend]struct {
		time   time.Duration
		usable bool
	}{stalled: {patience + 50*time.Millisecond, false}, busy: {time.Millisecond, true}} {
		services := servicesOf(t, Config{}, b)
		client := clientOf(t, &Transport{Services: services, AnswerTime: time.Minute})
		of, err := services.Get(t.Context(), "web")
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), c.time)
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://web/", nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := client.Do(r); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			cancel()
		}
		if got := of.Stats()[0]; c.usable != got.Usable {
			t.Errorf("after %v each: %+v", c.time, got)
		}
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// BenchmarkRoundTrip is what a balanced request takes beyond one that is not.
func BenchmarkRoundTrip(b *testing.B) {
	s := newBackend(b)
	answer := func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Status: "200 OK", Body: io.NopCloser(bytes.NewReader(nil))}, nil
	}
	services := servicesOf(b, Config{Rule: &P2C{}}, s)
	for name, tr := range map[string]http.RoundTripper{
		"bare": roundTrip(answer), "balanced": &Transport{Services: services, Base: roundTrip(answer)},
	} {
		b.Run(name, func(b *testing.B) {
			r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://web/path", nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				resp, err := tr.RoundTrip(r)
				if err != nil {
					b.Fatal(err)
				}
				_ = resp.Body.Close()
			}
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
