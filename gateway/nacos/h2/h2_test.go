package h2

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/troupe-cloud/troupe/messages/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// echo answers what it is asked, and says on streams what it heard.
type echo struct {
	mu    sync.Mutex
	ended int
}

type answer []byte

func (a answer) Bytes() []byte { return a }
func (a answer) Free()         {}

func (e *echo) Begin(in []byte) Call { return echoed(in) }

// echoed answers at once what begins with "quick".
type echoed []byte

func (e echoed) Quick() (Reply, bool) {
	if !bytes.HasPrefix(e, []byte("quick")) {
		return nil, false
	}
	return e.Answer(), true
}

// Joins is of what begins with "join".
func (e echoed) Joins() bool { return bytes.HasPrefix(e, []byte("join")) }

func (e *echo) Together(all []Call, answered func(int, Reply), idle func()) {
	for i := range all {
		idle()
		n := len(all) - 1 - i
		answered(n, all[n].Answer())
	}
}

func (e echoed) Answer() Reply { return answer(bytes.Clone(e)) }

func (e *echo) Message(s *Sender, in []byte) error {
	if string(in) == "refuse" {
		return errors.New("refused")
	}
	m := bytes.Clone(in)
	go func() { _ = s.Send(m) }()
	return nil
}

func (e *echo) Ended(*Sender) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended++
}

func route(path string) Kind {
	return map[string]Kind{"/u": Unary, "/s": Stream}[path]
}

// raw is a client that speaks in frames.
type raw struct {
	t    *testing.T
	conn net.Conn
	fr   *http2.Framer
	enc  *hpack.Encoder
	buf  bytes.Buffer
	peer *echo
}

func dial(t *testing.T, settings ...http2.Setting) *raw {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(Config{MaxMessage: 1 << 20, MaxBuffered: 2 << 20, MaxCalls: 10, WriteTime: time.Minute, Route: route})
	r := &raw{t: t, peer: &echo{}}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if c, err := l.Accept(); err == nil {
			s.Serve(c, r.peer)
		}
	}()
	if r.conn, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.conn.Close()
		_ = l.Close()
		<-served
		s.Close()
	})
	_, _ = io.WriteString(r.conn, preface)
	r.fr = http2.NewFramer(r.conn, r.conn)
	r.fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	r.enc = hpack.NewEncoder(&r.buf)
	_ = r.fr.WriteSettings(settings...)
	_ = r.conn.SetDeadline(time.Now().Add(time.Minute))
	return r
}

func (r *raw) headers(path string, more ...string) []byte {
	r.buf.Reset()
	all := append([]string{":method", "POST", ":scheme", "http", ":path", path, "content-type", "application/grpc"}, more...)
	for i := 0; i < len(all); i += 2 {
		_ = r.enc.WriteField(hpack.HeaderField{Name: all[i], Value: all[i+1]})
	}
	return bytes.Clone(r.buf.Bytes())
}

func (r *raw) open(id uint32, path string, more ...string) {
	_ = r.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: r.headers(path, more...), EndHeaders: true})
}

func framed(m string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(m))), m...)
}

// result reads what comes in a call: the messages' bytes, and its status.
func (r *raw) result(id uint32) (data []byte, status string) {
	r.t.Helper()
	for {
		f, err := r.fr.ReadFrame()
		if err != nil {
			return data, err.Error()
		}
		if f.Header().StreamID != id {
			if g, ok := f.(*http2.GoAwayFrame); ok {
				return data, g.ErrCode.String()
			}
			continue
		}
		switch f := f.(type) {
		case *http2.DataFrame:
			data = append(data, f.Data()...)
		case *http2.RSTStreamFrame:
			return data, f.ErrCode.String()
		case *http2.MetaHeadersFrame:
			for _, h := range f.Fields {
				if h.Name == "grpc-status" {
					return data, h.Value
				}
			}
		}
	}
}

func TestCalls(t *testing.T) {
	long := strings.Repeat("x", 200)
	for name, tt := range map[string]struct {
		do   func(*raw)
		want string
		code string
	}{
		"a call": {func(r *raw) {
			r.open(1, "/u")
			_ = r.fr.WriteData(1, true, framed("hello"))
		}, "hello", "0"},
		"one that is answered at once": {func(r *raw) {
			r.open(1, "/u")
			_ = r.fr.WriteData(1, true, framed("quick"))
		}, "quick", "0"},
		"an empty message": {func(r *raw) {
			r.open(1, "/u")
			_ = r.fr.WriteData(1, true, framed(""))
		}, "", "0"},
		"byte by byte": {func(r *raw) {
			r.open(1, "/u")
			m := framed("hello")
			for i := range m {
				_ = r.fr.WriteData(1, i == len(m)-1, m[i:i+1])
			}
		}, "hello", "0"},
		"end without data": {func(r *raw) {
			r.open(1, "/u")
			_ = r.fr.WriteData(1, false, framed("hello"))
			_ = r.fr.WriteData(1, true, nil)
		}, "hello", "0"},
		"padding": {func(r *raw) {
			_ = r.fr.WriteHeaders(http2.HeadersFrameParam{
				StreamID: 1, BlockFragment: r.headers("/u"), EndHeaders: true, PadLength: 9, Priority: http2.PriorityParam{Weight: 3},
			})
			_ = r.fr.WriteDataPadded(1, true, framed("hello"), make([]byte, 7))
		}, "hello", "0"},
		"continuation": {func(r *raw) {
			block := r.headers("/u", "x-long", long)
			_ = r.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:10]})
			_ = r.fr.WriteContinuation(1, false, block[10:20])
			_ = r.fr.WriteContinuation(1, true, block[20:])
			_ = r.fr.WriteData(1, true, framed("hello"))
		}, "hello", "0"},
		"no such path":      {func(r *raw) { r.open(1, "/x") }, "", "12"},
		"compressed":        {func(r *raw) { r.open(1, "/u", "grpc-encoding", "gzip") }, "", "12"},
		"a compressed flag": {func(r *raw) { r.open(1, "/u"); _ = r.fr.WriteData(1, true, []byte{1, 0, 0, 0, 1, 0}) }, "", "12"},
		"too large":         {func(r *raw) { r.open(1, "/u"); _ = r.fr.WriteData(1, false, []byte{0, 0, 16, 0, 1}) }, "", "8"},
		"no message":        {func(r *raw) { r.open(1, "/u"); _ = r.fr.WriteData(1, true, nil) }, "", "13"},
		"half a message":    {func(r *raw) { r.open(1, "/u"); _ = r.fr.WriteData(1, true, framed("hello")[:7]) }, "", "13"},
		"two messages": {func(r *raw) {
			r.open(1, "/u")
			_ = r.fr.WriteData(1, true, append(framed("a"), framed("b")...))
		}, "", "13"},
		"a stream that is refused": {func(r *raw) { r.open(1, "/s"); _ = r.fr.WriteData(1, false, framed("refuse")) }, "", "3"},
		"an even number":           {func(r *raw) { r.open(2, "/u") }, "", "PROTOCOL_ERROR"},
		"pushing":                  {func(r *raw) { _ = r.fr.WriteRawFrame(http2.FramePushPromise, 0, 1, make([]byte, 8)) }, "", "PROTOCOL_ERROR"},
		"headers in between": {func(r *raw) {
			_ = r.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: r.headers("/u")})
			_ = r.fr.WritePing(false, [8]byte{})
		}, "", "PROTOCOL_ERROR"},
		"endless headers": {func(r *raw) {
			_ = r.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: r.headers("/u")})
			for range 3 {
				_ = r.fr.WriteContinuation(1, false, make([]byte, maxFrame/2))
			}
		}, "", "PROTOCOL_ERROR"},
		"too much credit": {func(r *raw) {
			_ = r.fr.WriteWindowUpdate(0, 1<<31-1)
		}, "", "PROTOCOL_ERROR"},
		"a flood of pings": {func(r *raw) {
			for range maxPings + 1 {
				_ = r.fr.WritePing(false, [8]byte{})
			}
		}, "", "ENHANCE_YOUR_CALM"},
	} {
		t.Run(name, func(t *testing.T) {
			r := dial(t)
			tt.do(r)
			data, code := r.result(1)
			if tt.code == "0" && !bytes.Equal(data, framed(tt.want)) || code != tt.code {
				t.Errorf("got %q and %s", data, code)
			}
		})
	}
}

// TestTogether: of calls that come at once, those that join are answered in one go, the
// others by themselves.
func TestTogether(t *testing.T) {
	r := dial(t)
	says := map[uint32]string{1: "join one", 3: "hello", 5: "join two", 7: "quick", 9: "join three"}
	for id := uint32(1); id <= 9; id += 2 {
		r.open(id, "/u")
		if id == 9 {
			_ = r.fr.WriteData(id, false, framed(says[id])[:7]) // the others are worked on meanwhile
		} else {
			_ = r.fr.WriteData(id, true, framed(says[id]))
		}
	}
	_ = r.fr.WriteData(9, true, framed(says[9])[7:])
	got := map[uint32][]byte{}
	for ended := 0; ended < len(says); {
		f, err := r.fr.ReadFrame()
		if err != nil {
			t.Fatalf("after %d answers: %v", ended, err)
		}
		switch f := f.(type) {
		case *http2.DataFrame:
			got[f.StreamID] = append(got[f.StreamID], f.Data()...)
		case *http2.MetaHeadersFrame:
			if f.StreamEnded() {
				ended++
			}
		}
	}
	for id, m := range says {
		if !bytes.Equal(got[id], framed(m)) {
			t.Errorf("call %d: got %q", id, got[id])
		}
	}
}

// An answer that is larger than the windows goes out as the client allows.
func TestWindows(t *testing.T) {
	r := dial(t, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
	big := strings.Repeat("0123456789", 50_000)
	r.open(1, "/u")
	sent := 0
	m := framed(big)
	var got []byte
	for len(got) < len(m) {
		for sent < len(m) && sent < streamWindow-maxFrame { // the first part needs no permission
			n := min(maxFrame, len(m)-sent)
			_ = r.fr.WriteData(1, sent+n == len(m), m[sent:sent+n])
			sent += n
		}
		f, err := r.fr.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		switch f := f.(type) {
		case *http2.WindowUpdateFrame:
			if f.StreamID == 1 {
				for range int(f.Increment) / maxFrame {
					n := min(maxFrame, len(m)-sent)
					if n > 0 {
						_ = r.fr.WriteData(1, sent+n == len(m), m[sent:sent+n])
						sent += n
					}
				}
			}
		case *http2.DataFrame:
			got = append(got, f.Data()...)
			_ = r.fr.WriteWindowUpdate(1, 7777)
			if n := len(f.Data()); n > 0 {
				_ = r.fr.WriteWindowUpdate(0, uint32(n))
			}
		}
	}
	if !bytes.Equal(got, m) {
		t.Error("the answer is another one")
	}
}

func TestStream(t *testing.T) {
	r := dial(t)
	r.open(1, "/s")
	for _, m := range []string{"a", "", "b"} {
		_ = r.fr.WriteData(1, false, framed(m))
		got := []byte{}
		for len(got) < len(framed(m)) {
			f, err := r.fr.ReadFrame()
			if err != nil {
				t.Fatal(err)
			}
			if d, ok := f.(*http2.DataFrame); ok {
				got = append(got, d.Data()...)
			}
		}
		if !bytes.Equal(got, framed(m)) {
			t.Errorf("%q came back as %q", m, got)
		}
	}
	_ = r.fr.WriteData(1, true, nil)
	if _, code := r.result(1); code != "0" {
		t.Errorf("it ended with %s", code)
	}
	told := func() int {
		r.peer.mu.Lock()
		defer r.peer.mu.Unlock()
		return r.peer.ended
	}
	for told() == 0 && t.Context().Err() == nil { // the client may hear of it first
		runtime.Gosched()
	}
	if n := told(); n != 1 {
		t.Errorf("its end was told %d times", n)
	}
}

func TestTooManyCalls(t *testing.T) {
	r := dial(t)
	for i := range uint32(11) {
		r.open(2*i+1, "/u")
	}
	if _, code := r.result(21); code != "REFUSED_STREAM" {
		t.Errorf("got %s", code)
	}
}

// script is a connection whose client has said everything already.
type script struct {
	io.Reader
	net.Conn
}

func (s script) Read(p []byte) (int, error)       { return s.Reader.Read(p) }
func (s script) Write(p []byte) (int, error)      { return len(p), nil }
func (s script) Close() error                     { return nil }
func (s script) SetWriteDeadline(time.Time) error { return nil }

// TestCallsTogether has calls come in one piece: those that are answered at once
// and those that are not, and one of which only a part has come.
func TestCallsTogether(t *testing.T) {
	r := dial(t)
	var all bytes.Buffer
	together := http2.NewFramer(&all, nil)
	want := map[uint32]string{}
	for i := range uint32(9) {
		id := 2*i + 1
		want[id] = []string{"quick", "slow", "quick as well"}[i%3] + string(rune('a'+i))
		_ = together.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: r.headers("/u"), EndHeaders: true})
		_ = together.WriteData(id, true, framed(want[id]))
	}
	last := all.Len() - 4
	_, _ = r.conn.Write(all.Bytes()[:last])
	got := map[uint32]string{}
	for len(got) < len(want) {
		f, err := r.fr.ReadFrame()
		if err != nil {
			t.Fatalf("%d of %d calls answered: %v", len(got), len(want), err)
		}
		if d, ok := f.(*http2.DataFrame); ok {
			got[d.StreamID] = string(d.Data()[prefix:])
			if len(got) == len(want)-1 {
				_, _ = r.conn.Write(all.Bytes()[last:])
			}
		}
	}
	for id, m := range want {
		if got[id] != m {
			t.Errorf("call %d was answered %q, want %q", id, got[id], m)
		}
	}
}

func FuzzServe(f *testing.F) {
	r := &raw{}
	r.enc = hpack.NewEncoder(&r.buf)
	for _, path := range []string{"/u", "/s", "/x"} {
		var b bytes.Buffer
		fr := http2.NewFramer(&b, nil)
		_ = fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 3})
		_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: r.headers(path), EndHeaders: true})
		_ = fr.WriteData(1, false, framed("hello"))
		_ = fr.WriteWindowUpdate(1, 100)
		_ = fr.WriteDataPadded(1, true, nil, make([]byte, 4))
		_ = fr.WriteRSTStream(1, http2.ErrCodeCancel)
		_ = fr.WritePing(false, [8]byte{})
		f.Add(b.Bytes())
	}
	s := New(Config{MaxMessage: 1 << 16, MaxBuffered: 1 << 17, MaxCalls: 4, Route: route})
	f.Cleanup(s.Close)
	f.Fuzz(func(_ *testing.T, b []byte) {
		s.Serve(script{Reader: io.MultiReader(strings.NewReader(preface), bytes.NewReader(b))}, &echo{})
	})
}
