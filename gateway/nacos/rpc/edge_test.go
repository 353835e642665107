package rpc

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

func TestBeforeSetup(t *testing.T) {
	w := newWorld(t)
	p := w.dial()
	for _, tt := range []struct {
		kind, body string
		class      string
		code       float64
	}{
		{"ServerCheckRequest", `{}`, "ServerCheckResponse", 0},
		{"HealthCheckRequest", `{"requestId":"1"}`, "ErrorResponse", 301},
		{"InstanceRequest", register("a", "10.0.0.1"), "ErrorResponse", 301},
		{"NoSuchRequest", `{}`, "ErrorResponse", 302},
		{"", ``, "ErrorResponse", 302},
	} {
		class, body, err := p.raw(client(tt.kind, "", nil, tt.body))
		var got map[string]any
		if err != nil || json.Unmarshal(body, &got) != nil || class != tt.class || got["errorCode"] != tt.code || got["success"] != (tt.code == 0) {
			t.Errorf("%s: got %s %s %v", tt.kind, class, body, err)
		}
	}
}

func TestUnreadable(t *testing.T) {
	w := newWorld(t)
	p := w.client()
	for name, raw := range map[string][]byte{
		"no payload":     {0x12, 0xff, 0xff},
		"a wrong type":   []byte("hello"),
		"broken JSON":    client("ServiceQueryRequest", "", nil, `{"serviceName":`),
		"an array":       client("ServiceQueryRequest", "", nil, `[1]`),
		"not UTF-8":      client("ServiceQueryRequest", "", nil, "{\"serviceName\":\"\xff\"}"),
		"a deep nest":    client("ServiceQueryRequest", "", nil, `{"x":`+strings.Repeat("[", 100_000)),
		"many headers":   client("ServiceQueryRequest", "", many(maxPayloadHeaders+1), `{}`),
		"a wrong number": client("ServiceListRequest", "", nil, `{"pageNo":"one"}`),
	} {
		_, body, err := p.raw(raw)
		var got map[string]any
		if err != nil || json.Unmarshal(body, &got) != nil || got["errorCode"] != 502.0 {
			t.Errorf("%s: got %s %v", name, body, err)
		}
	}
	p.must("HealthCheckRequest", "{}")
}

func many(n int) map[string]string {
	m := map[string]string{}
	for i := range n {
		m[strconv.Itoa(i)] = "x"
	}
	return m
}

func TestOversized(t *testing.T) {
	w := newWorld(t)
	p := w.client()
	_, _, err := p.raw(client("ConfigPublishRequest", "", nil, `{"content":"`+strings.Repeat("x", MaxInbound)+`"}`))
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("got %v", err)
	}
	p.must("HealthCheckRequest", "{}")
}

// Compressed messages are refused, whatever they would grow to.
func TestCompressedBomb(t *testing.T) {
	p := newWorld(t).client()
	bomb := client("ConfigPublishRequest", "", nil, `{"content":"`+strings.Repeat("x", 6*MaxInbound)+`"}`)
	err := p.tcp.Invoke(context.Background(), "/Request/request", bomb, &payload{}, grpc.UseCompressor(gzip.Name))
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("got %v", err)
	}
	p.must("HealthCheckRequest", "{}")
}

func TestSetupAck(t *testing.T) {
	w := newWorld(t)
	java := w.connect(`{"clientVersion":"Nacos-Java-Client:v3.1.0","labels":{},"abilityTable":{"fuzzyWatch":true}}`)
	got := java.hear("SetupAckRequest")
	if table, _ := got["abilityTable"].(map[string]any); table["supportPersistentInstanceByGrpc"] != true || table["lock"] != true {
		t.Errorf("got %v", got)
	}
	for _, setup := range []string{plainSetup, `{"clientVersion":"x","abilityTable":null}`} {
		p := w.connect(setup)
		p.must("ConfigBatchListenRequest", `{"listen":true,"configListenContexts":[{"dataId":"a","group":"g","md5":""}]}`)
		p.must("ConfigPublishRequest", `{"dataId":"a","group":"g","content":"`+p.id+`"}`)
		if first := <-p.pushes; first.kind != "ConfigChangeNotifyRequest" {
			t.Errorf("%s: first came %s", setup, first.kind)
		}
	}
}

func TestDetection(t *testing.T) {
	w := newWorld(t)
	p, dead := w.client(), w.client()
	dead.ack = false
	later := time.Now().Add(idleTime + time.Second)
	w.server.look(later)
	dead.hear("ClientDetectionRequest")
	p.hear("ClientDetectionRequest")
	p.eventually("the answer has arrived", func() bool { return w.conn(p.id).asked.Load() == 0 })
	w.server.look(later.Add(detectTime + time.Second))
	if _, ok := <-dead.pushes; ok {
		t.Error("who does not answer is not given up")
	}
	p.must("HealthCheckRequest", "{}")
}

func (w *world) conn(id string) *conn {
	w.server.mu.Lock()
	defer w.server.mu.Unlock()
	return w.server.conns[id]
}

// Who connects and never says who it is, is given up: half-open connections too.
func TestSilentConnection(t *testing.T) {
	w := newWorld(t)
	tcp, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	p := w.dial()
	p.ask("ServerCheckRequest", "{}")
	w.server.look(time.Now().Add(setupTime + time.Second))
	p.eventually("nobody is connected", func() bool {
		w.server.mu.Lock()
		defer w.server.mu.Unlock()
		return len(w.server.links) == 0 && len(w.server.byAddr) == 0
	})
}

func TestSlowReader(t *testing.T) {
	w := newWorld(t)
	owner := w.client()
	slow := w.dial()
	slow.id = slow.ask("ServerCheckRequest", `{}`)["connectionId"].(string)
	stream, err := slow.tcp.NewStream(context.Background(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/BiRequestStream/requestBiStream")
	if err != nil {
		t.Fatal(err)
	}
	_ = stream.SendMsg(client("ConnectionSetupRequest", "", nil, plainSetup)) // and never reads
	slow.eventually("the connection is set up", func() bool { return slow.ask("HealthCheckRequest", `{}`)["success"] == true })
	slow.must("SubscribeServiceRequest", `{"serviceName":"big","subscribe":true}`)
	c := w.conn(slow.id)
	for i := 0; c.writing.Load() == 0; i++ {
		if i > 200 {
			t.Fatal("nothing blocks")
		}
		owner.must("BatchInstanceRequest", bigBatch(i))
		time.Sleep(20 * time.Millisecond)
	}
	slow.eventually("it blocks, or is given up", func() bool {
		w.server.look(time.Now().Add(slowTime + time.Second))
		return w.conn(slow.id) == nil
	})
	owner.must("HealthCheckRequest", "{}")
}

func bigBatch(n int) string {
	var b strings.Builder
	b.WriteString(`{"serviceName":"big","type":"batchRegisterInstance","instances":[`)
	for i := range 500 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"ip":"10.0.%d.%d","port":%d}`, i/256, i%256, n+1)
	}
	return b.String() + "]}"
}

// guard lets joe read one namespace.
type guard struct{}

func (guard) Identify(_ context.Context, c api.Credentials) (*api.User, error) {
	if c.Token != "good" {
		return nil, fmt.Errorf("token invalid!: %w", messages.Denied)
	}
	return api.NewUser("joe", false, func(r api.Resource, a api.Action) bool { return r.Namespace == "dev" && a == api.Read }), nil
}

func TestAccess(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Auth = guard{} })
	p := w.client()
	const key = `"dataId":"a","group":"g"`
	for _, tt := range []struct {
		kind, body, token string
		code              float64
	}{
		{"ServiceQueryRequest", `{"namespace":"dev","serviceName":"a"}`, "good", 0},
		{"ServiceQueryRequest", `{"namespace":"prod","serviceName":"a"}`, "good", 403},
		{"ServiceQueryRequest", `{"namespace":"dev","serviceName":"a"}`, "", 403},
		{"SubscribeServiceRequest", `{"namespace":"prod","serviceName":"a","subscribe":true}`, "good", 403},
		{"ServiceListRequest", `{"namespace":"prod","pageNo":1,"pageSize":1}`, "good", 403},
		{"InstanceRequest", `{"namespace":"dev","serviceName":"a","type":"registerInstance","instance":{"ip":"10.0.0.1"}}`, "good", 403},
		{"BatchInstanceRequest", `{"namespace":"dev","serviceName":"a","type":"batchRegisterInstance","instances":[]}`, "good", 403},
		{"PersistentInstanceRequest", `{"namespace":"dev","serviceName":"a","type":"registerInstance","instance":{"ip":"10.0.0.1"}}`, "good", 403},
		{"NamingFuzzyWatchRequest", `{"groupKeyPattern":"prod>>*>>*","watchType":"WATCH"}`, "good", 403},
		{"ConfigQueryRequest", `{"tenant":"dev",` + key + `}`, "good", 300},
		{"ConfigQueryRequest", `{"tenant":"prod",` + key + `}`, "good", 403},
		{"ConfigPublishRequest", `{"tenant":"dev","content":"x",` + key + `}`, "good", 403},
		{"ConfigRemoveRequest", `{"tenant":"dev",` + key + `}`, "good", 403},
		{"ConfigBatchListenRequest", `{"configListenContexts":[{"tenant":"dev",` + key + `,"md5":""},{"tenant":"prod",` + key + `,"md5":"x"}]}`, "good", 0},
		{"ConfigBatchListenRequest", `{"configListenContexts":[{"tenant":"prod",` + key + `,"md5":"x"}]}`, "good", 403},
		{"ConfigFuzzyWatchRequest", `{"groupKeyPattern":"prod>>*>>*","watchType":"WATCH"}`, "good", 403},
		{"LockOperationRequest", `{"lockInstance":{"key":"k"},"lockOperationEnum":"ACQUIRE"}`, "bad", 403},
	} {
		got := p.askWith(tt.kind, tt.body, map[string]string{"accessToken": tt.token})
		if got["errorCode"] != tt.code {
			t.Errorf("%s %s with %q: %v", tt.kind, tt.body, tt.token, got)
		}
	}
}

// Where nobody can be known, nobody may do anything.
func TestNoAuthenticator(t *testing.T) {
	p := newWorld(t, func(c *Config) { c.Auth = nil }).client()
	if got := p.ask("ServiceQueryRequest", `{"serviceName":"a"}`); got["errorCode"] != 403.0 {
		t.Errorf("got %v", got)
	}
}

func TestBusyOrNotReady(t *testing.T) {
	var pressure, ready atomic.Bool
	ready.Store(true)
	p := newWorld(t, func(c *Config) {
		c.Ready = ready.Load
		c.Pressure = func() float64 { return map[bool]float64{true: 1.5}[pressure.Load()] }
	}).client()
	ask := func() any { return p.ask("ServiceQueryRequest", `{"serviceName":"a"}`)["errorCode"] }
	if got := ask(); got != 0.0 {
		t.Errorf("got %v", got)
	}
	pressure.Store(true)
	if got := ask(); got != 503.0 {
		t.Errorf("busy: got %v", got)
	}
	p.must("HealthCheckRequest", "{}")
	ready.Store(false)
	if got := ask(); got != 300.0 {
		t.Errorf("not ready: got %v", got)
	}
}

func TestMove(t *testing.T) {
	w := newWorld(t)
	p := w.client()
	if err := w.server.Move(p.id, "10.0.0.9:8848"); err != nil {
		t.Fatal(err)
	}
	if got := p.hear("ConnectResetRequest"); got["serverIp"] != "10.0.0.9" || got["serverPort"] != "8848" {
		t.Errorf("got %v", got)
	}
	if n, err := w.server.MoveAll(0, ""); n != 1 || err != nil {
		t.Errorf("%d were asked: %v", n, err)
	}
	p.hear("ConnectResetRequest")
	if all := w.server.Connections(); len(all) != 1 || all[0].ID != p.id || all[0].ClientIP != "10.9.9.9" || all[0].RemoteIP != "127.0.0.1" {
		t.Errorf("got %+v", all)
	}
	p.must("InstanceRequest", register("web", "10.0.0.1"))
	p.must("SubscribeServiceRequest", `{"serviceName":"web","clusters":"A","subscribe":true}`)
	if c := w.server.Client(p.id); len(c.GetPublishes()) != 1 || c.GetPublishes()[0].GetIp() != "10.0.0.1" || c.GetSubscribes()[0].GetCluster() != "A" {
		t.Errorf("got %v", c)
	}
	if err := w.server.Eject(p.id); err != nil {
		t.Fatal(err)
	}
	for range p.pushes {
	}
	if err := w.server.Eject(p.id); messages.KindOf(err) != messages.ErrorKind_ERROR_KIND_NOT_FOUND {
		t.Errorf("got %v", err)
	}
}

// A push that is not acknowledged is repeated; one that is, is not.
func TestRepeat(t *testing.T) {
	w := newWorld(t)
	p := w.client()
	p.ack = false
	p.must("SubscribeServiceRequest", `{"serviceName":"web","subscribe":true}`)
	p.must("InstanceRequest", register("web", "10.0.0.1"))
	first := p.hear("NotifySubscriberRequest")
	for range 8 {
		w.server.wheel.turn(w.server)
	}
	again := p.hear("NotifySubscriberRequest")
	if first["requestId"] != again["requestId"] {
		t.Errorf("%v came again as %v", first["requestId"], again["requestId"])
	}
	c := w.conn(p.id)
	_ = p.stream.SendMsg(client("NotifySubscriberResponse", "", nil, `{"requestId":"`+again["requestId"].(string)+`"}`))
	p.eventually("it is acknowledged", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.unheard.len() == 0
	})
}

func TestLockEndsWithConnection(t *testing.T) {
	w := newWorld(t)
	a, b := w.client(), w.client()
	const acquire = `{"lockInstance":{"key":"k","expiredTime":600000},"lockOperationEnum":"ACQUIRE"}`
	if a.must("LockOperationRequest", acquire)["result"] != true || b.must("LockOperationRequest", acquire)["result"] != false {
		t.Fatal("a lock is not exclusive")
	}
	_ = a.tcp.Close()
	b.eventually("it is free", func() bool { return b.must("LockOperationRequest", acquire)["result"] == true })
}

func TestMetrics(t *testing.T) {
	w := newWorld(t)
	p := w.client()
	p.ack = false
	go func() {
		got := p.hear("ClientConfigMetricRequest")
		_ = p.stream.SendMsg(client("ClientConfigMetricResponse", "", nil, `{"metrics":{"a":[1,2]},"requestId":"`+got["requestId"].(string)+`"}`))
	}()
	got, err := w.server.Metrics(context.Background(), p.id, []MetricKey{{"listenConfigMd5", "a+g"}})
	if err != nil || string(got) != `{"a":[1,2]}` {
		t.Errorf("got %s %v", got, err)
	}
}

func TestPatternLimits(t *testing.T) {
	w := newWorld(t)
	p := w.client()
	for i := range MaxPatterns {
		p.must("ConfigFuzzyWatchRequest", `{"groupKeyPattern":"public>>g>>`+strconv.Itoa(i)+`*","watchType":"WATCH"}`)
	}
	if got := p.ask("ConfigFuzzyWatchRequest", `{"groupKeyPattern":"public>>g>>x*","watchType":"WATCH"}`); got["errorCode"] != 50310.0 {
		t.Errorf("got %v", got)
	}
}

func TestGlob(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "", true}, {"*", "a", true}, {"a", "a", true}, {"a", "ab", false}, {"a*", "ab", true}, {"a*", "ba", false},
		{"*a", "ba", true}, {"*a", "ab", false}, {"*a*", "bab", true}, {"*a*", "b", false},
	} {
		if parseGlob(tt.pattern).matches(tt.name) != tt.want {
			t.Errorf("%s matches %s: not %v", tt.pattern, tt.name, tt.want)
		}
	}
}

// A panic of a handler ends its request only.
func TestPanic(t *testing.T) {
	handlers["PanicRequest"] = &handler{answer: "PanicResponse", handle: func(*call) error { panic("oh") }, early: true, light: true}
	defer delete(handlers, "PanicRequest")
	p := newWorld(t).client()
	if got := p.ask("PanicRequest", `{}`); got["errorCode"] != 500.0 {
		t.Errorf("got %v", got)
	}
	p.must("HealthCheckRequest", "{}")
}

func TestLimitsFit(t *testing.T) {
	if lim := service.MaxOwnerChars; len("member~0123456789/")+len("1700000000000_255.255.255.255_65535") > lim {
		t.Errorf("an owner has at most %d characters", lim)
	}
}
