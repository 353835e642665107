package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"syscall"
	"time"

	lb "github.com/troupe-cloud/troupe/balancer"
)

// tripRequests is how many requests are made between two looks at the clock: few, so
// that other work on the machine falls upon bare and balanced rounds alike.
const tripRequests = 10

// trips measures what a balanced request takes beyond one that is not: by the same
// transport and, where it is a real one, over the same connections to the same
// server. Rounds alternate, and the median of their differences counts.
func trips(r *run) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok")
	})}
	go func() { _ = server.Serve(l) }() // until it is closed
	defer server.Close()
	real := lb.NewBase()
	defer real.CloseIdleConnections()
	for _, c := range []struct {
		name string
		base http.RoundTripper
	}{{"a http.Transport to a server", real}, {"a transport that answers at once", instant{}}} {
		d, err := beyond(r.during, c.base, l.Addr().(*net.TCPAddr))
		if err != nil {
			return err
		}
		r.add("balancer: RoundTripper beyond "+c.name, fmt.Sprintf("%.2f µs", d.wall/1000), "≤ 2 µs",
			fmt.Sprintf("processor %.2f µs; that alone %.2f µs; median of %d rounds", d.cpu/1000, d.bare/1000, d.rounds))
	}
	return nil
}

// difference is what a balanced request takes beyond one that is not, in nanoseconds.
type difference struct {
	wall, cpu float64
	bare      float64 // the one that is not
	rounds    int
}

// beyond compares rounds of requests for a while.
func beyond(during time.Duration, base http.RoundTripper, server *net.TCPAddr) (difference, error) {
	b := lb.New("bench", lb.Config{Rule: &lb.P2C{}})
	defer b.Close()
	b.Update([]lb.Endpoint{{Host: server.IP.String(), Port: server.Port, Weight: 1}})
	balanced := &lb.Transport{Balancer: b, Base: base}
	var bare, wall, cpu []float64
	for began := time.Now(); time.Since(began) < during || len(wall) == 0; {
		w0, c0, err := round(base, "http://"+server.String()+"/path")
		if err != nil {
			return difference{}, err
		}
		w1, c1, err := round(balanced, "http://bench/path")
		if err != nil {
			return difference{}, err
		}
		bare, wall, cpu = append(bare, w0), append(wall, w1-w0), append(cpu, c1-c0)
	}
	return difference{middle(wall), middle(cpu), middle(bare), len(wall)}, nil
}

func middle(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

// round is the time, and that of the processor, which one of many requests takes.
func round(tr http.RoundTripper, url string) (wall, cpu float64, err error) {
	q, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		return 0, 0, err
	}
	used, began := processor(), time.Now()
	for range tripRequests {
		resp, err := tr.RoundTrip(q)
		if err != nil {
			return 0, 0, err
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	return float64(time.Since(began)) / tripRequests, float64(processor()-used) / tripRequests, nil
}

// processor is the time that this process has had of processors.
func processor() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it is a valid question
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// instant is a transport that answers at once.
type instant struct{}

// RoundTrip is http.RoundTripper's.
func (instant) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(nil))}, nil
}
