package rpc

import (
	"context"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/actors/lock"
	"github.com/troupe-cloud/troupe/actors/namespace"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/registry"
)

// world is a node with its store in memory and a server that listens.
type world struct {
	t      testing.TB
	cloud  *cluster.Client
	server *Server
	addr   string
}

func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	node, err := cluster.Start(context.Background(), cluster.Config{
		Name: "test", Store: mem.New(), Log: zerolog.Nop(),
		Kinds: []actors.Kind{service.Spec(), config.Spec(), lock.Spec(), namespace.Spec()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	w := &world{t: t, cloud: node.Client()}
	cfg := Config{
		Cloud: w.cloud, Feeds: registry.NewFeeds(w.cloud), Owners: registry.NewOwners(w.cloud, "test", zerolog.Nop()),
		Names: registry.NewNames(w.cloud), Auth: anybody{}, Log: zerolog.Nop(),
	}
	for _, f := range change {
		f(&cfg)
	}
	w.server = New(cfg)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- w.server.Serve(l) }()
	t.Cleanup(func() {
		w.server.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
		cfg.Names.Close()
		cfg.Feeds.Close()
		cfg.Owners.Close()
	})
	return w
}

// anybody takes everybody for an administrator.
type anybody struct{}

func (anybody) Identify(context.Context, api.Credentials) (*api.User, error) {
	return api.NewUser("nacos", true, nil), nil
}

// tester is a client of the dialect.
type tester struct {
	t      testing.TB
	tcp    *grpc.ClientConn
	stream grpc.ClientStream
	pushes chan heard
	ack    bool // what comes is acknowledged
	id     string
}

// heard is what a client was told.
type heard struct {
	kind string
	body map[string]any
}

func (w *world) dial() *tester {
	w.t.Helper()
	cc, err := grpc.NewClient("passthrough:///"+w.addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(codec{}), grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = cc.Close() })
	return &tester{t: w.t, tcp: cc, ack: true}
}

// connect is a client that is set up; abilities may be nil.
func (w *world) connect(setup string) *tester {
	w.t.Helper()
	p := w.dial()
	p.open(setup)
	return p
}

const plainSetup = `{"clientVersion":"Nacos-Go-Client:v2.3.5","tenant":"","labels":{"source":"sdk","module":"naming"},"clientAbilities":{}}`

func (w *world) client() *tester { return w.connect(plainSetup) }

func (p *tester) open(setup string) {
	p.t.Helper()
	p.id, _ = p.ask("ServerCheckRequest", `{}`)["connectionId"].(string)
	stream, err := p.tcp.NewStream(context.Background(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/BiRequestStream/requestBiStream")
	if err != nil {
		p.t.Fatal(err)
	}
	p.stream, p.pushes = stream, make(chan heard, 1000)
	if err := stream.SendMsg(client("ConnectionSetupRequest", "10.9.9.9", nil, setup)); err != nil {
		p.t.Fatal(err)
	}
	go p.read()
	p.eventually("the connection is set up", func() bool {
		return p.ask("HealthCheckRequest", `{}`)["success"] == true
	})
}

func (p *tester) read() {
	defer close(p.pushes)
	for {
		var in payload
		if p.stream.RecvMsg(&in) != nil || in.parse() != nil {
			return
		}
		got := heard{kind: string(in.kind)}
		if json.Unmarshal(in.body, &got.body) != nil {
			return
		}
		if id, _ := got.body["requestId"].(string); p.ack && id != "" {
			answer := strings.TrimSuffix(got.kind, "Request") + "Response"
			_ = p.stream.SendMsg(client(answer, "", nil, `{"resultCode":200,"success":false,"requestId":"`+id+`"}`))
		}
		p.pushes <- got
	}
}

// raw sends bytes and returns the class and the body of the answer.
func (p *tester) raw(b []byte) (string, []byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out payload
	if err := p.tcp.Invoke(ctx, "/Request/request", b, &out); err != nil {
		return "", nil, err
	}
	if err := out.parse(); err != nil {
		return "", nil, err
	}
	return string(out.kind), out.body, nil
}

func (p *tester) ask(kind, body string) map[string]any { return p.askWith(kind, body, nil) }

func (p *tester) askWith(kind, body string, headers map[string]string) map[string]any {
	p.t.Helper()
	_, raw, err := p.raw(client(kind, "10.9.9.9", headers, body))
	if err != nil {
		p.t.Fatalf("%s: %v", kind, err)
	}
	var got map[string]any
	if err := json.Unmarshal(raw, &got); err != nil {
		p.t.Fatalf("%s was answered with %s: %v", kind, raw, err)
	}
	return got
}

// must asks and fails the test if it was refused.
func (p *tester) must(kind, body string) map[string]any {
	p.t.Helper()
	got := p.ask(kind, body)
	if got["success"] != true {
		p.t.Fatalf("%s %s was refused: %v", kind, body, got)
	}
	return got
}

// hear waits for a push of that kind; others are passed over.
func (p *tester) hear(kind string) map[string]any {
	p.t.Helper()
	wait := time.NewTimer(time.Minute)
	defer wait.Stop()
	for {
		select {
		case got, ok := <-p.pushes:
			if !ok {
				p.t.Fatalf("the stream ended before %s", kind)
			}
			if got.kind == kind {
				return got.body
			}
		case <-wait.C:
			p.t.Fatalf("no %s came", kind)
		}
	}
}

// hearHosts waits until a service was pushed with so many hosts.
func (p *tester) hearHosts(n int) map[string]any {
	p.t.Helper()
	for {
		info := p.hear("NotifySubscriberRequest")["serviceInfo"].(map[string]any)
		if len(info["hosts"].([]any)) == n {
			return info
		}
	}
}

func (p *tester) eventually(what string, is func() bool) {
	p.t.Helper()
	end := time.Now().Add(time.Minute)
	for !is() {
		if time.Now().After(end) {
			p.t.Fatalf("never: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func register(name, ip string) string {
	return `{"requestId":"7","namespace":"public","serviceName":"` + name + `","groupName":"DEFAULT_GROUP","module":"naming","type":"registerInstance",` +
		`"instance":{"instanceId":"","ip":"` + ip + `","port":80,"weight":1.0,"healthy":true,"enabled":true,"ephemeral":true,"clusterName":"","serviceName":"","metadata":{"k":"v"},"instanceHeartBeatInterval":0,"ipDeleteTimeout":0,"instanceHeartBeatTimeOut":0}}`
}

func deregister(name, ip string) string {
	return strings.Replace(register(name, ip), "registerInstance", "deregisterInstance", 1)
}
