package balancer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
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

// TestLyingCaller: a body that ends too early, or fails, is not the server's fault.
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
}

// TestSlowCaller: the time that a body takes to come is none of the server's.
func TestSlowCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		of := New("web", Config{})
		defer of.Close()
		of.Update(endpoints(1))
		slow := &http.Client{Transport: &Transport{Balancer: of, AnswerTime: time.Second, Base: roundTrip(func(r *http.Request) (*http.Response, error) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return nil, err
			}
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
		})}}
		in, out := io.Pipe()
		go func() {
			for range 4 {
				_, _ = out.Write([]byte("x"))
				time.Sleep(900 * time.Millisecond) // of the bubble's clock
			}
			_ = out.Close()
		}()
		resp, err := slow.Post("http://web/", "text/plain", in)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	})
}

// TestImpatientCallers: a server that lets all wait for longer than they can is left
// alone, though it is always they who give up; one whose callers have no time is not.
func TestImpatientCallers(t *testing.T) {
	stalled, busy := newBackend(t), newBackend(t)
	stalled.hang(t)
	busy.hang(t)
	for b, c := range map[*backend]struct {
		waited time.Duration // by the balancer's clock
		usable bool
	}{stalled: {patience, false}, busy: {time.Millisecond, true}} {
		clock := newClock()
		services := servicesOf(t, Config{Now: clock.now}, b)
		tried := 0
		client := clientOf(t, &Transport{Services: services, AnswerTime: time.Minute, Interceptors: []Interceptor{
			func(r *http.Request, _ *Server, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
				resp, err := next(r)
				tried++
				clock.pass(c.waited)
				return resp, err
			},
		}})
		of, err := services.Get(t.Context(), "web")
		if err != nil {
			t.Fatal(err)
		}
		for tried < 3 { // on a busy machine the time may be over before the try begins
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://web/", nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := client.Do(r); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v", err)
			}
			cancel()
		}
		if got := of.Stats()[0]; c.usable != got.Usable {
			t.Errorf("after %v each: %+v", c.waited, got)
		}
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// BenchmarkRoundTrip is what a balanced request takes beyond one that is not, by the
// clock and of the processor: the median of many short rounds that alternate, by the
// same transport and, where it is a real one, to the same server.
func BenchmarkRoundTrip(b *testing.B) {
	s := &backend{Server: httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))}
	b.Cleanup(s.Close)
	real := NewBase()
	b.Cleanup(real.CloseIdleConnections)
	for _, c := range []struct {
		name string
		base http.RoundTripper
	}{
		{"instant", roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Status: "200 OK", Body: io.NopCloser(bytes.NewReader(nil))}, nil
		})},
		{"real", real},
	} {
		b.Run(c.name, func(b *testing.B) {
			of := balancerOf(b, Config{Rule: &P2C{}}, []Endpoint{s.endpoint(b)})
			balanced := &Transport{Balancer: of, Base: c.base}
			var wall, cpu []float64
			for b.Loop() {
				w0, c0 := round(b, c.base, s.URL+"/path")
				w1, c1 := round(b, balanced, "http://web/path")
				wall, cpu = append(wall, w1-w0), append(cpu, c1-c0)
			}
			slices.Sort(wall)
			slices.Sort(cpu)
			b.ReportMetric(wall[len(wall)/2], "ns-beyond")
			b.ReportMetric(cpu[len(cpu)/2], "cpu-ns-beyond")
		})
	}
}

// round is what one request of many takes, in nanoseconds.
func round(b *testing.B, tr http.RoundTripper, url string) (wall, cpu float64) {
	const requests = 10
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		b.Fatal(err)
	}
	used, began := processorTime(b), time.Now()
	for range requests {
		resp, err := tr.RoundTrip(r)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	return float64(time.Since(began)) / requests, float64(processorTime(b)-used) / requests
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
