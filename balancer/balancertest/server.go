// Package balancertest owns what tests of balancing share: servers that are processes
// of their own, with the harm that befalls them, and a load over it. It knows nothing
// of what balances.
package balancertest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// serverVariable has the test's binary be a server instead.
const serverVariable = "TROUPE_TEST_SERVER"

// The words that a server understands, a line each; it says that it has heard.
const (
	slowWord = "slow"
	failWord = "fail"
	heard    = "done"
)

// Serve is for TestMain, before anything else: where this process was started to be a
// server it is one until its end, and does not return.
func Serve() {
	if os.Getenv(serverVariable) == "" {
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	var slow, failing atomic.Bool
	go func() {
		_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if slow.Load() {
				<-r.Context().Done()
			}
			if failing.Load() {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}))
	}()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch in.Text() {
		case slowWord:
			slow.Store(true)
		case failWord:
			failing.Store(true)
		}
		fmt.Println(heard)
	}
	os.Exit(0) // it ends with whoever has started it
}

// Server is such a process. It answers every request with 200 until harm is done to it.
type Server struct {
	Address string // HOST:PORT

	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// Start starts one that ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{cmd: exec.Command(os.Args[0])}
	s.cmd.Env = append(os.Environ(), serverVariable+"=1")
	var err error
	if s.in, err = s.cmd.StdinPipe(); err != nil {
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
		_ = s.in.Close()
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	})
	s.out = bufio.NewReader(out)
	s.Address = s.line(t)
	return s
}

func (s *Server) line(t testing.TB) string {
	t.Helper()
	line, err := s.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// tell waits until it has heard.
func (s *Server) tell(t testing.TB, word string) {
	t.Helper()
	if _, err := fmt.Fprintln(s.in, word); err != nil {
		t.Fatal(err)
	}
	if got := s.line(t); got != heard {
		t.Fatalf("the server says %q", got)
	}
}

func (s *Server) signal(t testing.TB, what syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(what); err != nil {
		t.Fatal(err)
	}
}
