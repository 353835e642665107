package configs_test

import (
	"bufio"
	"context"
	"crypto/md5"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

// awhile bounds what a test waits for; nothing is measured by it.
const awhile = 2 * time.Minute

const md5One = "f97c5d29941bfb1b2fdab0874906ab82" // of "one"

// polling is a poll under way.
type polling struct {
	cancel context.CancelFunc
	got    chan string // the body, or the error
}

// poll begins a poll that hangs.
func (w *world) poll(t *testing.T, probes string, headers ...string) *polling {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), awhile)
	t.Cleanup(cancel)
	p := &polling{cancel, make(chan string, 1)}
	form := url.Values{"Listening-Configs": {probes}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL+"/nacos/v1/cs/configs/listener", strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Client-Version", "Nacos-Java-Client:v2.1.0")
	r.Header.Set("Long-Pulling-Timeout", "60000")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	go func() {
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			p.got <- err.Error()
			return
		}
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			p.got <- err.Error()
			return
		}
		p.got <- string(raw)
	}()
	return p
}

// listening waits until so many keys are listened to.
func (w *world) listening(t *testing.T, want int) {
	t.Helper()
	wait(t, fmt.Sprintf("%d listeners", want), func() bool { _, n := w.feeds.Len(); return n == want })
}

// wait waits for what cannot be waited for by an event: of another process, or of
// a part that tells nobody.
func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick, end := time.NewTicker(time.Millisecond), time.After(awhile)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%s: not within %v", what, awhile)
		}
	}
}

func (p *polling) answer(t *testing.T) string {
	t.Helper()
	select {
	case got := <-p.got:
		return got
	case <-time.After(awhile):
		t.Fatal("the poll was not answered")
		return ""
	}
}

// hangs checks that a poll has not been answered after all that was done is done:
// a later change of a key that all polls of the test listen to has come by.
func (p *polling) hangs(t *testing.T) {
	t.Helper()
	select {
	case got := <-p.got:
		t.Errorf("the poll was answered %q", got)
	default:
	}
}

func TestPoll(t *testing.T) {
	w := newWorld(t, nil)
	w.publish(t, "a", "g", "one")

	p := w.poll(t, "a\x02g\x02"+md5One+"\x01none\x02g\x02\x01")
	w.listening(t, 2)
	w.publish(t, "a", "g", "two")
	if got := p.answer(t); got != "a%02g%01" {
		t.Errorf("a change: %q", got)
	}
	w.listening(t, 0)

	p = w.poll(t, "none\x02g\x02\x02public\x01")
	w.listening(t, 1)
	w.publish(t, "none", "g", "x")
	if got := p.answer(t); got != "none%02g%02public%01" {
		t.Errorf("a new one: %q", got)
	}

	p = w.poll(t, "none\x02g\x029dd4e461268c8034f5c8564e155c67a6\x01")
	w.listening(t, 1)
	if _, err := w.Client.Ask(t.Context(), config.Ref("", "g", "none"), &messages.RemoveConfig{}); err != nil {
		t.Fatal(err)
	}
	if got := p.answer(t); got != "none%02g%01" {
		t.Errorf("a removal: %q", got)
	}
}

// TestPollGray: a poll is about what its client sees, by its address and its tag.
func TestPollGray(t *testing.T) {
	w := newWorld(t, nil)
	w.publish(t, "a", "g", "one")
	plain := w.poll(t, "a\x02g\x02"+md5One+"\x01")
	blue := w.poll(t, "a\x02g\x02"+md5One+"\x01", config.TagLabel, "blue")
	w.listening(t, 2)
	w.publish(t, "a", "g", "tagged", "tag", "blue")
	if got := blue.answer(t); got != "a%02g%01" {
		t.Errorf("blue: %q", got)
	}
	plain.hangs(t)
	beta := config.Beta("127.0.0.1")
	if _, err := w.Client.Ask(t.Context(), config.Ref("", "g", "a"), &messages.PublishConfig{Content: "beta", Gray: beta}); err != nil {
		t.Fatal(err)
	}
	if got := plain.answer(t); got != "a%02g%01" {
		t.Errorf("the beta: %q", got)
	}
}

// TestPollABA: a content that went and came back before anybody could look is a
// change.
func TestPollABA(t *testing.T) {
	w := newWorld(t, nil)
	w.publish(t, "a", "g", "one")
	p := w.poll(t, "a\x02g\x02"+md5One+"\x01")
	w.listening(t, 1)
	w.publish(t, "a", "g", "two")
	w.publish(t, "a", "g", "one")
	if got := p.answer(t); got != "a%02g%01" {
		t.Errorf("%q", got)
	}
}

// TestPollBehind: who has just fetched what is newer than this node has heard of is
// not told that he has something else.
func TestPollBehind(t *testing.T) {
	w := newWorld(t, nil)
	w.publish(t, "a", "g", "zero")
	quick := func(md5 string) string {
		return w.poll(t, "a\x02g\x02"+md5+"\x01", "Long-Pulling-Timeout-No-Hangup", "true").answer(t)
	}
	if got := quick("x"); got != "a%02g%01" {
		t.Errorf("something else: %q", got)
	}
	for i := range 20 { // the feed merges them, and is behind most of the time
		content := fmt.Sprint(i)
		w.publish(t, "a", "g", content)
		if got := quick(fmt.Sprintf("%x", md5.Sum([]byte(content)))); got != "" {
			t.Errorf("what was published last: %q", got)
		}
	}
}

// TestPollEnds: who goes away listens no more, and a server that stops answers all.
func TestPollEnds(t *testing.T) {
	w := newWorld(t, nil)
	p := w.poll(t, "a\x02g\x02\x01")
	w.listening(t, 1)
	p.cancel()
	w.listening(t, 0)
	p = w.poll(t, "a\x02g\x02\x01")
	w.listening(t, 1)
	w.configs.Close()
	if got := p.answer(t); got != "" {
		t.Errorf("%q", got)
	}
}

// TestPollMany: 10,000 keys in one poll.
func TestPollMany(t *testing.T) {
	w := newWorld(t, nil)
	var b strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&b, "key-%d\x02g\x02\x01", i)
	}
	p := w.poll(t, b.String())
	w.listening(t, 10_000)
	w.publish(t, "key-7777", "g", "x")
	if got := p.answer(t); got != "key-7777%02g%01" {
		t.Errorf("%.100q", got)
	}
	w.listening(t, 0)
	if got := w.poll(t, b.String()+"one\x02more\x02\x01").answer(t); !strings.Contains(got, "more than 10000 keys") {
		t.Errorf("%.100q", got)
	}
}

// TestListeners: who polls is listed, by key and by address.
func TestListeners(t *testing.T) {
	w := newWorld(t, nil)
	w.publish(t, "a", "g", "one", "tenant", "dev")
	w.poll(t, "a\x02g\x02"+md5One+"\x02dev\x01b\x02g\x02\x01")
	w.listening(t, 2)
	for path, want := range map[string]string{
		"/nacos/v1/cs/configs/listener?dataId=a&group=g&tenant=dev":                 `"127.0.0.1":"` + md5One + `"`,
		"/nacos/v1/cs/listener?ip=127.0.0.1":                                        `{"b+g":""}`,
		"/nacos/v1/cs/listener?ip=127.0.0.1&tenant=dev":                             `{"a+g+dev":"` + md5One + `"}`,
		"/nacos/v1/cs/listener?ip=127.0.0.1&all=true":                               `{"a+g+dev":"` + md5One + `","b+g":""}`,
		"/nacos/v1/cs/listener?ip=127.0.0.2&all=true":                               `{}`,
		"/nacos/v3/admin/cs/config/listener?dataId=b&groupName=g":                   `"127.0.0.1":""`,
		"/nacos/v3/console/cs/config/listener/ip?ip=127.0.0.1&aggregation=false":    `{"b+g":""}`,
		"/nacos/v3/admin/cs/listener?ip=127.0.0.1&namespaceId=dev&aggregation=true": `{"a+g+dev":"` + md5One + `"}`,
	} {
		if status, got := w.get(t, path); status != 200 || !strings.Contains(got, want) {
			t.Errorf("%s: %d %s", path, status, got)
		}
	}
}

// pipes are connections in memory: there are more of them in the test below than a
// process may have files.
type pipes struct {
	accept chan net.Conn
	done   chan struct{}
	once   sync.Once
}

func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.accept <- theirs
	return ours
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accept:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// memory is what is alive, and stacks.
func memory() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// TestManyPolls: 10,000 clients listen to one key, and each is told of a change.
func TestManyPolls(t *testing.T) {
	const many = 10_000
	w := newWorld(t, nil)
	w.publish(t, "a", "g", "one")
	request := "POST /nacos/v1/cs/configs/listener HTTP/1.1\r\nHost: x\r\nLong-Pulling-Timeout: 60000\r\n" +
		"Client-Version: 2.1.0\r\nContent-Type: application/x-www-form-urlencoded\r\n"
	form := url.Values{"Listening-Configs": {"a\x02g\x02" + md5One + "\x01"}}.Encode()
	request += fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(form), form)
	lines := &pipes{accept: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: w.Server}
	go func() { _ = server.Serve(lines) }() // until it is closed
	defer server.Close()
	conns, before := make([]net.Conn, many), memory()
	for i := range conns {
		conns[i] = lines.dial()
		defer conns[i].Close()
		if _, err := io.WriteString(conns[i], request); err != nil {
			t.Fatal(err)
		}
	}
	w.listening(t, many)
	t.Logf("a poll that waits holds %d bytes, with its connection in memory", (memory()-before)/many)
	began := time.Now()
	w.publish(t, "a", "g", "two")
	for i, c := range conns {
		_ = c.SetReadDeadline(time.Now().Add(awhile)) // a pipe has deadlines
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("client %d: %v", i, err)
		}
		got, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 200 || string(got) != "a%02g%01" {
			t.Fatalf("client %d: %d %q, %v", i, resp.StatusCode, got, err)
		}
	}
	t.Logf("%d listeners knew after %v", many, time.Since(began))
	w.listening(t, 0)
}

// TestPollPermission: a poll about one key that may not be read is refused.
func TestPollPermission(t *testing.T) {
	w := newWorld(t, only(func(what api.Resource, to api.Action) bool { return to == api.Read && what.Group == "mine" }))
	for probes, want := range map[string]int{"a\x02mine\x02x\x01": 200, "a\x02mine\x02x\x01a\x02yours\x02x\x01": 403} {
		resp, err := http.PostForm(w.URL+"/nacos/v1/cs/configs/listener", url.Values{"Listening-Configs": {probes}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%q: %d, want %d", probes, resp.StatusCode, want)
		}
	}
}
