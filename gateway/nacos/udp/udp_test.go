package udp

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/naming"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// socket is a Conn over channels.
type socket struct {
	out    chan datagram
	in     chan datagram
	closed chan struct{}
}

type datagram struct {
	body []byte
	at   netip.AddrPort
}

func newSocket() *socket {
	return &socket{make(chan datagram, 100), make(chan datagram), make(chan struct{})}
}

func (s *socket) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case d := <-s.in:
		return copy(b, d.body), d.at, nil
	case <-s.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

func (s *socket) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	s.out <- datagram{bytes.Clone(b), to}
	return len(b), nil
}

func (s *socket) Close() error {
	close(s.closed)
	return nil
}

var (
	key    = api.Key{Namespace: "public", Group: "DEFAULT_GROUP", Name: "orders"}
	client = netip.MustParseAddrPort("10.0.0.7:5555")
	poll   = naming.Listening{Service: key, Clusters: "DEFAULT", Peer: "10.0.0.7", Port: 5555, Agent: "Nacos-Java-Client:v1.0.0"}
)

// world is a Pusher over a cloud of one service, inside a synctest bubble.
type world struct {
	t      *testing.T
	cloud  *cloud
	socket *socket
	*Pusher
}

func inWorld(t *testing.T, do func(*world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, cloud: newCloud(), socket: newSocket()}
		feeds := registry.NewFeeds(w.cloud)
		w.Pusher = New(feeds, w.socket, zerolog.Nop())
		defer func() {
			if err := w.Close(); err != nil {
				t.Error(err)
			}
			feeds.Close()
		}()
		do(w)
	})
}

// state is the service with hosts, at a revision.
func state(revision int64, hosts ...string) *messages.Service {
	s := &messages.Service{Namespace: key.Namespace, Group: key.Group, Name: key.Name, Revision: revision}
	for _, ip := range hosts {
		s.Endpoints = append(s.Endpoints, &messages.Endpoint{Ip: ip, Port: 80, Cluster: "DEFAULT", Weight: 1, Enabled: true, Healthy: true})
	}
	return s
}

// mergeTime is as long as a feed lets a state wait, and a little longer.
const mergeTime = 150 * time.Millisecond

// packet is what comes to a client; it fails if nothing does.
func (w *world) packet() (p struct {
	Type  string
	Data  string
	Stamp int64 `json:"lastRefTime"`
}, to netip.AddrPort) {
	w.t.Helper()
	time.Sleep(mergeTime)
	synctest.Wait()
	select {
	case d := <-w.socket.out:
		body := d.body
		if len(body) >= 2 && body[0] == 0x1f {
			r, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				w.t.Fatal(err)
			}
			if body, err = io.ReadAll(r); err != nil {
				w.t.Fatal(err)
			}
		}
		if err := json.Unmarshal(body, &p); err != nil {
			w.t.Fatalf("%v: %q", err, body)
		}
		return p, d.at
	default:
		w.t.Fatal("no datagram came")
		return p, to
	}
}

func (w *world) silent(why string) {
	w.t.Helper()
	time.Sleep(mergeTime)
	synctest.Wait()
	select {
	case d := <-w.socket.out:
		w.t.Errorf("%s: a datagram of %d bytes to %v", why, len(d.body), d.at)
	default:
	}
}

func (w *world) ack(format string, stamp int64, from netip.AddrPort) {
	w.socket.in <- datagram{fmt.Appendf(nil, format, stamp), from}
	synctest.Wait()
}

const (
	asText   = `{"data":"","lastRefTime":"%d","type":"push-ack"}`
	asNumber = `{"type":"push-ack","lastRefTime":%d,"data":""}`
)

func TestPush(t *testing.T) {
	inWorld(t, func(w *world) {
		w.cloud.set(state(10, "1.1.1.1"))
		n := poll
		n.Revision = 10
		w.Listen(n)
		w.silent("what the poll was answered is known")

		for i, form := range []string{asText, asNumber} {
			revision := int64(11 + i)
			w.cloud.set(state(revision, "1.1.1.1", "2.2.2.2"))
			p, to := w.packet()
			if to != client || p.Type != "dom" || p.Stamp == 0 {
				t.Errorf("got %+v to %v", p, to)
			}
			for _, want := range []string{`"name":"DEFAULT_GROUP@@orders"`, `"clusters":"DEFAULT"`, `"ip":"2.2.2.2"`, fmt.Sprintf(`"lastRefTime":%d,`, revision)} {
				if !strings.Contains(p.Data, want) {
					t.Errorf("%s is not in %s", want, p.Data)
				}
			}
			w.ack(form, p.Stamp, client)
		}
		time.Sleep(ackTime + 2*sweepTime)
		w.silent("it was acknowledged")
		if s := w.Stats(); s.Pushed != 2 || s.Acked != 2 || s.Lost != 0 {
			t.Errorf("got %+v", s)
		}
	})
}

func TestRetryOnceThenForget(t *testing.T) {
	inWorld(t, func(w *world) {
		w.cloud.set(state(10))
		w.Listen(poll)
		first, _ := w.packet()
		w.ack(asNumber, first.Stamp, netip.MustParseAddrPort("10.0.0.8:5555")) // somebody else's
		w.ack(asNumber, first.Stamp+1, client)
		time.Sleep(ackTime + 2*sweepTime)
		again, _ := w.packet()
		if again != first {
			t.Errorf("got %+v, want %+v again", again, first)
		}
		w.Listen(poll) // it goes on polling, for longer than a datagram is waited for
		time.Sleep(ackTime + 2*sweepTime)
		w.silent("twice is enough")
		if s := w.Stats(); s.Listeners != 0 || s.Lost != 1 {
			t.Errorf("got %+v", s)
		}
		w.cloud.set(state(11))
		w.silent("it is forgotten")
		w.Listen(poll)
		w.packet()
	})
}

func TestForgottenWithoutPolls(t *testing.T) {
	inWorld(t, func(w *world) {
		n := poll
		n.Revision = 10
		w.cloud.set(state(10))
		w.Listen(n)
		time.Sleep(keepTime - sweepTime)
		w.Listen(n)
		time.Sleep(keepTime - sweepTime)
		if s := w.Stats(); s.Listeners != 1 {
			t.Errorf("got %+v: a poll renews", s)
		}
		time.Sleep(3 * sweepTime)
		synctest.Wait()
		if s := w.Stats(); s.Listeners != 0 {
			t.Errorf("got %+v", s)
		}
	})
}

func TestNobodyElse(t *testing.T) {
	for name, n := range map[string]naming.Listening{
		"a port of the system":    {Service: key, Peer: "10.0.0.7", Port: 53, Agent: poll.Agent},
		"no port":                 {Service: key, Peer: "10.0.0.7", Port: 65536, Agent: poll.Agent},
		"an agent of another":     {Service: key, Peer: "10.0.0.7", Port: 5555, Agent: "curl/8"},
		"an agent that is old":    {Service: key, Peer: "10.0.0.7", Port: 5555, Agent: "Nacos-C-Client:v1.0.11"},
		"an address that is none": {Service: key, Peer: "host", Port: 5555, Agent: poll.Agent},
	} {
		inWorld(t, func(w *world) {
			w.cloud.set(state(10))
			w.Listen(n)
			w.silent(name)
		})
	}
}

func TestLimits(t *testing.T) {
	inWorld(t, func(w *world) {
		for i := range maxOfOne + 10 {
			n := poll
			n.Service.Name = fmt.Sprint("s", i)
			n.Revision = time.Now().Add(time.Hour).UnixMilli()
			w.Listen(n)
		}
		synctest.Wait()
		if s := w.Stats(); s.Listeners != maxOfOne {
			t.Errorf("got %+v", s)
		}
	})
}

// TestLarge sends nobody what he cannot read: the Go client would see half of it.
func TestLarge(t *testing.T) {
	inWorld(t, func(w *world) {
		var hosts []string
		for i := range 3000 {
			hosts = append(hosts, fmt.Sprintf("10.%d.%d.%d", i*7919%251, i*104729%241, i%239))
		}
		goes := poll
		goes.Agent = "Nacos-Go-Client:v1.1.6"
		goes.Port = 6666
		w.cloud.set(state(10, hosts...))
		w.Listen(goes)
		w.silent("larger than the client's buffer")
		w.Listen(poll)
		if p, to := w.packet(); to != client || !strings.Contains(p.Data, hosts[2999]) {
			t.Errorf("to %v, %d bytes", to, len(p.Data))
		}
	})
}

func TestSubscribers(t *testing.T) {
	inWorld(t, func(w *world) {
		w.cloud.set(state(10))
		n := poll
		n.Revision, n.App = 10, "shop"
		w.Listen(n)
		synctest.Wait()
		all := w.feeds.Listeners(service.Ref(key.Namespace, key.Group, key.Name))
		want := registry.Client{Connection: "10.0.0.7:5555#true", IP: "10.0.0.7", Port: 5555, Agent: poll.Agent, App: "shop", Clusters: "DEFAULT"}
		if len(all) != 1 || all[0] != want {
			t.Errorf("got %+v", all)
		}
		var ids []string
		w.Each(func(c *messages.RegistryClient) bool {
			ids = append(ids, c.GetId())
			return true
		})
		c := w.Client("10.0.0.7:5555#true")
		if len(ids) != 1 || ids[0] != c.GetId() || len(c.GetSubscribes()) != 1 || c.GetSubscribes()[0].GetName() != "orders" {
			t.Errorf("got %v, %v", ids, c)
		}
		if w.Client("x") != nil {
			t.Error("nobody is called x")
		}
	})
}

func TestAgents(t *testing.T) {
	for agent, want := range map[string]bool{
		"Nacos-Java-Client:v1.0.0": true, "Nacos-Go-Client:v1.1.6": true, "Nacos-Go-Client:v0.0.9": false,
		"Nacos-C-Client:v1.0.12": true, "Nacos-CSharp-Client:v0.8.5": false, "Nacos-CSharp-Client:v0.9.0-rc1": true,
		"Nacos-DNS:v0.4.3": true, "Nacos-Java-Client": false, "Nacos-Java-Client:": false, "": false, "curl": false,
		"Nacos-Go-Client:v2": true, "Nacos-Go-Client:v99999999999": true,
	} {
		if got := listens(agent); got != want {
			t.Errorf("%q: got %v", agent, got)
		}
	}
}

func FuzzParseAck(f *testing.F) {
	for _, s := range []string{`{"type":"push-ack","lastRefTime":1,"data":""}`, `{"type":"push-ack","lastRefTime":"1"}`, `{"type":"dump-ack"}`, "{", ""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if stamp, ok := parseAck(raw); ok && stamp <= 0 {
			t.Errorf("took %d", stamp)
		}
	})
}
