package rpc

import "testing"

func TestConfig(t *testing.T) {
	w := newWorld(t)
	a, b := w.client(), w.client()
	const key = `"dataId":"app.yaml","group":"g","tenant":""`
	got := a.ask("ConfigQueryRequest", `{`+key+`}`)
	if got["errorCode"] != 300.0 || got["message"] != "config data not exist" {
		t.Fatalf("got %v", got)
	}
	got = b.must("ConfigBatchListenRequest", `{"listen":true,"configListenContexts":[{`+key+`,"md5":""}]}`)
	if len(got["changedConfigs"].([]any)) != 0 {
		t.Fatalf("got %v", got)
	}
	a.must("ConfigPublishRequest", `{`+key+`,"content":"a: 1\n","additionMap":{"type":"yaml"}}`)
	told := b.hear("ConfigChangeNotifyRequest")
	if told["dataId"] != "app.yaml" || told["group"] != "g" || told["tenant"] != "" {
		t.Errorf("told %v", told)
	}
	got = b.must("ConfigQueryRequest", `{`+key+`}`)
	if got["content"] != "a: 1\n" || got["contentType"] != "yaml" || got["md5"] != "ca90a2feb6ce0dbf4e57d3419632e4f3" && len(got["md5"].(string)) != 32 {
		t.Errorf("got %v", got)
	}
	for _, content := range []string{"b", "a"} { // and back: it must not be lost
		a.must("ConfigPublishRequest", `{`+key+`,"content":"`+content+`"}`)
	}
	b.hear("ConfigChangeNotifyRequest")
	got = b.must("ConfigBatchListenRequest", `{"listen":true,"configListenContexts":[{`+key+`,"md5":"x"}]}`)
	if len(got["changedConfigs"].([]any)) != 1 {
		t.Fatalf("got %v", got)
	}
	a.must("ConfigRemoveRequest", `{`+key+`}`)
	b.hear("ConfigChangeNotifyRequest")
}
