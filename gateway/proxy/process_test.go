package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/gateway/door"
	"github.com/troupe-cloud/troupe/messages/leaktest"

	"github.com/troupe-cloud/troupe/balancer"
)

// serverVariable has the test binary be a server instead.
const serverVariable = "TROUPE_TEST_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(serverVariable) != "" {
		serveProcess()
		return
	}
	leaktest.Main(m)
}

// serveProcess answers until it is killed, or told to be slow or to fail.
func serveProcess() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	var status atomic.Int64
	var slow atomic.Bool
	status.Store(http.StatusOK)
	go func() { // it ends with whoever has started it
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			switch in.Text() {
			case "fail":
				status.Store(http.StatusInternalServerError)
			case "slow":
				slow.Store(true)
			}
			fmt.Println("done")
		}
		os.Exit(0)
	}()
	_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if slow.Load() {
			<-r.Context().Done()
		}
		w.WriteHeader(int(status.Load()))
	}))
}

// child is such a process.
type child struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	address string
}

func startChild(t *testing.T) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), serverVariable+"=1")
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.in.Close()
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	})
	c.out = bufio.NewReader(out)
	c.address = c.line(t)
	return c
}

func (c *child) line(t *testing.T) string {
	t.Helper()
	line, err := c.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// tell waits until it has heard.
func (c *child) tell(t *testing.T, word string) {
	t.Helper()
	if _, err := fmt.Fprintln(c.in, word); err != nil {
		t.Fatal(err)
	}
	c.line(t)
}

const (
	loaders = 4
	loaded  = 60 // requests of each, before the harm and after
)

// TestProcesses: what befalls one of three servers is not seen through the proxy by
// those whose requests may be made twice.
func TestProcesses(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, c *child){
		"killed":             func(t *testing.T, c *child) { _ = c.cmd.Process.Signal(syscall.SIGKILL) },
		"stalled":            func(t *testing.T, c *child) { _ = c.cmd.Process.Signal(syscall.SIGSTOP) },
		"slowed":             func(t *testing.T, c *child) { c.tell(t, "slow") },
		"made to answer 500": func(t *testing.T, c *child) { c.tell(t, "fail") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, all := start(t, loopback), []*child{startChild(t), startChild(t), startChild(t)}
			w.register(t, "web", map[string]string{balancer.TimeoutKey: "5s", balancer.RuleKey: "round-robin"}, all[0].address, all[1].address, all[2].address)
			base := &http.Transport{MaxIdleConnsPerHost: loaders}
			defer base.CloseIdleConnections()
			var half, done sync.WaitGroup
			half.Add(loaders)
			harmed := make(chan struct{})
			for i := range loaders {
				done.Go(func() {
					for n := range 2 * loaded {
						if n == loaded {
							half.Done()
							<-harmed
						}
						w.call(t, base, []string{http.MethodGet, http.MethodPut, http.MethodDelete}[(i+n)%3])
					}
				})
			}
			half.Wait()
			harm(t, all[0])
			close(harmed)
			done.Wait()
		})
	}
}

// call makes a request that may not fail.
func (w *world) call(t *testing.T, base *http.Transport, method string) {
	r, err := http.NewRequestWithContext(t.Context(), method, w.front.URL+web, strings.NewReader("body"))
	if err != nil {
		t.Error(err)
		return
	}
	r.Header.Set(door.TokenHeader, "good")
	resp, err := base.RoundTrip(r)
	if err != nil {
		t.Error(err)
		return
	}
	raw, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%s: %s %s", method, resp.Status, raw)
	}
}

// TestSlowReader: a body that comes slowly is waited for, and one that stops is not
// for ever; the endpoint is not blamed for either.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	w, b := start(t, loopback), backend(t)
	w.register(t, "web", map[string]string{balancer.TimeoutKey: "8s"}, b.address())
	in, out := io.Pipe()
	go func() {
		for range 3 { // as slow as some clients are: for longer than the endpoint has
			_, _ = out.Write([]byte("piece"))
			<-time.After(3 * time.Second)
		}
		_ = out.Close()
	}()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.front.URL+web, in)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(door.TokenHeader, "good")
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK || b.body[0] != "piecepiecepiece" {
		t.Errorf("%s %q", resp.Status, b.body)
	}
}
