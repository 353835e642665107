package rpc

import (
	"strconv"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestManySubscriptions(t *testing.T) {
	const many = 2000
	w := newWorld(t, func(c *Config) { c.MaxSubscriptions = many })
	p := w.client()
	var all sync.WaitGroup
	for part := range 16 {
		all.Go(func() {
			for i := part; i < many; i += 16 {
				p.must("SubscribeServiceRequest", `{"serviceName":"s`+strconv.Itoa(i)+`","subscribe":true}`)
			}
		})
	}
	all.Wait()
	if got := p.ask("SubscribeServiceRequest", `{"serviceName":"one-more","subscribe":true}`); got["errorCode"] != 503.0 {
		t.Errorf("got %v", got)
	}
	p.must("SubscribeServiceRequest", `{"serviceName":"s77","subscribe":false}`)
	p.must("SubscribeServiceRequest", `{"serviceName":"one-more","subscribe":true}`)
	w.client().must("InstanceRequest", register("s1711", "10.0.0.1"))
	p.hearHosts(1)
	if _, listeners := w.server.cfg.Feeds.Len(); listeners != many {
		t.Errorf("%d listen", listeners)
	}
	_ = p.tcp.Close()
	p.eventually("nobody listens", func() bool {
		_, listeners := w.server.cfg.Feeds.Len()
		return listeners == 0
	})
}

func TestTooManyConnections(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxPerAddress = 2 })
	a, b := w.client(), w.client()
	third := w.dial()
	if _, _, err := third.raw(client("ServerCheckRequest", "", nil, "{}")); status.Code(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
	_ = a.tcp.Close()
	b.eventually("there is room again", func() bool {
		_, _, err := w.dial().raw(client("ServerCheckRequest", "", nil, "{}"))
		return err == nil
	})
}

func TestManyListens(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxListens = 100 })
	p := w.client()
	keys := func(from, to int) string {
		var all []string
		for i := from; i < to; i++ {
			all = append(all, `{"dataId":"d`+strconv.Itoa(i)+`","group":"g","md5":""}`)
		}
		return `{"listen":true,"configListenContexts":[` + strings.Join(all, ",") + `]}`
	}
	for _, body := range []string{keys(0, 101), keys(0, 100), keys(50, 151)} {
		_ = p.ask("ConfigBatchListenRequest", body)
	}
	if got := p.ask("ConfigBatchListenRequest", keys(0, 101)); got["errorCode"] != 503.0 {
		t.Errorf("got %v", got)
	}
	p.must("ConfigBatchListenRequest", keys(0, 100))
	if got := p.ask("ConfigBatchListenRequest", keys(100, 101)); got["errorCode"] != 503.0 {
		t.Errorf("got %v", got)
	}
}

// A content of nearly the largest size goes in and out.
func TestLargeContent(t *testing.T) {
	p := newWorld(t).client()
	content := strings.Repeat("0123456789abcdef", 600_000)
	p.must("ConfigPublishRequest", `{"dataId":"a","group":"g","content":"`+content+`"}`)
	if got := p.must("ConfigQueryRequest", `{"dataId":"a","group":"g"}`); got["content"] != content {
		t.Error("another content came back")
	}
}
