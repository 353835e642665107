package rpc

import (
	"maps"
	"testing"

	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/messages"
)

func TestGrayLabels(t *testing.T) {
	a := &about{app: "shop", labels: map[string]string{"source": "sdk", "app_region": "hz", "app_": "x", "app_empty": "", "app_" + config.TagLabel: "stolen"}}
	a.gray = a.grayLabels()
	c := &conn{about: a}
	if got, want := c.labels(""), map[string]string{"AppName": "shop", "region": "hz"}; !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if got, want := c.labels("blue"), map[string]string{"AppName": "shop", "region": "hz", config.TagLabel: "blue"}; !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if len(a.gray) != 2 || (&about{labels: map[string]string{"source": "sdk"}}).grayLabels() != nil || (&conn{}).labels("") != nil {
		t.Error("labels were changed, or made of nothing")
	}
	if got := (&conn{}).labels("blue"); got[config.TagLabel] != "blue" {
		t.Errorf("got %v", got)
	}
}

// TestGrayByLabel: who connects with a label sees the gray version that is about it,
// and is told when it changes.
func TestGrayByLabel(t *testing.T) {
	w := newWorld(t)
	p := w.client()
	c := w.conn(p.id)
	c.mu.Lock()
	c.about.gray = map[string]string{"region": "hz"} // as if it had said so
	c.mu.Unlock()
	p.must("ConfigPublishRequest", `{"dataId":"a","group":"g","tenant":"","content":"formal"}`)
	p.must("ConfigBatchListenRequest", `{"listen":true,"configListenContexts":[{"dataId":"a","group":"g","tenant":"","md5":""}]}`)
	rule := &messages.GrayRule{Name: "zone", Type: config.LabelType, Version: config.RuleVersion, Expression: "region == 'hz'", Priority: 1}
	if _, err := w.cloud.Ask(t.Context(), config.Ref("", "g", "a"), &messages.PublishConfig{Content: "gray", Gray: rule}); err != nil {
		t.Fatal(err)
	}
	p.hear("ConfigChangeNotifyRequest")
	if got := p.must("ConfigQueryRequest", `{"dataId":"a","group":"g","tenant":""}`); got["content"] != "gray" {
		t.Errorf("got %v", got)
	}
}
