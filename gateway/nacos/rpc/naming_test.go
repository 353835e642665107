package rpc

import (
	"testing"
)

func TestNaming(t *testing.T) {
	w := newWorld(t)
	a, b := w.client(), w.client()
	a.must("InstanceRequest", register("web", "10.0.0.1"))
	info := b.must("SubscribeServiceRequest", `{"serviceName":"web","groupName":"DEFAULT_GROUP","namespace":"","clusters":"","subscribe":true}`)["serviceInfo"].(map[string]any)
	if len(info["hosts"].([]any)) != 1 || info["name"] != "web" || info["groupName"] != "DEFAULT_GROUP" {
		t.Fatalf("a subscription was answered with %v", info)
	}
	a.must("InstanceRequest", register("web", "10.0.0.2")) // replaces
	b.must("InstanceRequest", register("web", "10.0.0.3"))
	more := b.hearHosts(2)
	if more["lastRefTime"].(float64) <= info["lastRefTime"].(float64) {
		t.Errorf("lastRefTime went from %v to %v", info["lastRefTime"], more["lastRefTime"])
	}
	b.must("InstanceRequest", deregister("web", "10.0.0.3"))
	b.hearHosts(1)
	if err := a.tcp.Close(); err != nil {
		t.Fatal(err)
	}
	b.hearHosts(0)
}
