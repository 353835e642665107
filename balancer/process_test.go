package balancer

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// serverVariable has the test binary be a server instead.
const serverVariable = "TROUPE_TEST_SERVER"

// serveProcess answers until it is killed; PUT /status and /delay change how.
func serveProcess() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	var status, delay atomic.Int64
	status.Store(http.StatusOK)
	fmt.Println(l.Addr())
	mux := http.NewServeMux()
	set := func(to *atomic.Int64) http.HandlerFunc {
		return func(_ http.ResponseWriter, r *http.Request) {
			n, _ := strconv.ParseInt(r.URL.Query().Get("to"), 10, 64)
			to.Store(n)
		}
	}
	mux.HandleFunc("PUT /status", set(&status))
	mux.HandleFunc("PUT /delay", set(&delay))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(time.Duration(delay.Load()) * time.Millisecond)
		w.WriteHeader(int(status.Load()))
	})
	go func() { // it ends with whoever has started it
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	_ = http.Serve(l, mux)
}

// server is such a process.
type server struct {
	cmd     *exec.Cmd
	address string
}

func startServer(t testing.TB) *server {
	t.Helper()
	s := &server{cmd: exec.Command(os.Args[0])}
	s.cmd.Env = append(os.Environ(), serverVariable+"=1")
	in, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	s.address = strings.TrimSpace(line)
	return s
}

func (s *server) signal(t testing.TB, what syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(what); err != nil {
		t.Fatal(err)
	}
}

func (s *server) set(t testing.TB, what string, to int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, fmt.Sprintf("http://%s/%s?to=%d", s.address, what, to), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}

// TestProcesses: whatever befalls one of three servers while a load runs, no request
// fails that another could answer; and who is not well gets next to nothing after. The
// balancer's clock stands still: how often it tries again later is not looked at.
func TestProcesses(t *testing.T) {
	for _, c := range []struct {
		name string
		harm func(t *testing.T, s *server)
		most int64 // requests that the bad one gets afterwards, to find out
	}{
		{"killed", func(t *testing.T, s *server) { s.signal(t, syscall.SIGKILL) }, 4 * loaders},
		{"stalled", func(t *testing.T, s *server) { s.signal(t, syscall.SIGSTOP) }, 4 * loaders},
		{"slowed", func(t *testing.T, s *server) { s.set(t, "delay", 60_000) }, 4 * loaders},
		{"made to answer 500", func(t *testing.T, s *server) { s.set(t, "status", 500) }, 10 * loaders},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			all := []*server{startServer(t), startServer(t), startServer(t)}
			var list []Endpoint
			for _, s := range all {
				e, err := ParseEndpoint(s.address)
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, e)
			}
			services := &Services{Source: Fixed{"web": list}, Config: func(string) Config { return Config{Rule: &RoundRobin{}, Now: newClock().now} }}
			defer services.Close()
			var harmed atomic.Bool
			var after atomic.Int64
			tr := &Transport{
				Services: services, AnswerTime: 5 * time.Second, Statuses: []int{500, 502, 503, 504}, Retry: Retry{Next: 2},
				Interceptors: []Interceptor{func(r *http.Request, s *Server, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
					if harmed.Load() && s.Address() == all[0].address {
						after.Add(1)
					}
					return next(r)
				}},
			}
			load(t, &http.Client{Transport: tr}, func() {
				c.harm(t, all[0])
				harmed.Store(true)
			})
			if n := after.Load(); n > c.most {
				t.Errorf("the bad server got %d requests", n)
			}
		})
	}
}

const (
	loaders = 4
	loaded  = 100 // requests of each, before the harm and after
)

// load has loaders call before and after the harm; none of their calls may fail.
func load(t *testing.T, client *http.Client, harm func()) {
	var half, all sync.WaitGroup
	half.Add(loaders)
	done := make(chan struct{})
	for i := range loaders {
		all.Go(func() {
			for n := range 2 * loaded {
				if n == loaded {
					half.Done()
					<-done
				}
				method := []string{http.MethodGet, http.MethodPut, http.MethodDelete}[(i+n)%3]
				r, err := http.NewRequestWithContext(t.Context(), method, "http://web/", strings.NewReader("body"))
				if err != nil {
					t.Error(err)
					continue
				}
				resp, err := client.Do(r)
				if err != nil {
					t.Errorf("%s number %d: %v", method, n, err)
					continue
				}
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("%s number %d: %s", method, n, resp.Status)
				}
			}
		})
	}
	half.Wait()
	harm()
	close(done)
	all.Wait()
}
