package consul

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/hashicorp/consul/api"
)

// TestEncodeTxn: what is sent is what Consul's own client would send, in fewer words.
func TestEncodeTxn(t *testing.T) {
	t.Parallel()
	ops := api.KVTxnOps{
		{Verb: api.KVCAS, Key: "a/b", Value: []byte("x\x00\xff"), Index: 1<<63 + 1},
		{Verb: api.KVSet, Key: `quote " and \ and é and <&>`, Value: []byte{}},
		{Verb: api.KVCheckSession, Key: "c", Session: "5e55-10n"},
		{Verb: api.KVGetTree, Key: ""},
	}
	var got api.TxnOps
	if err := json.Unmarshal(encodeTxn(nil, ops), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != len(ops) {
		t.Fatalf("%d operations", len(got))
	}
	for i, op := range got {
		if !reflect.DeepEqual(op.KV, ops[i]) {
			t.Errorf("got %+v, sent %+v", op.KV, ops[i])
		}
	}
	if got := string(encodeTxn(nil, nil)); got != "[]" {
		t.Errorf("nothing is %s", got)
	}
	if size := sizeTxn(ops[2:]); size < len(encodeTxn(nil, ops[2:])) {
		t.Errorf("%d bytes were thought enough for %d", size, len(encodeTxn(nil, ops[2:])))
	}
}

// TestDecodeTxn: answers as Consul gives them, and what is none.
func TestDecodeTxn(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text   string
		pairs  api.KVPairs
		failed api.TxnErrors
		bad    bool
	}{
		"done": {text: `{"Results":[{"KV":{"LockIndex":1,"Key":"a","Flags":2,"Value":"eA==","Session":"s","CreateIndex":3,"ModifyIndex":4}}],"Errors":null}` + "\n",
			pairs: api.KVPairs{{Key: "a", Value: []byte("x"), LockIndex: 1, Flags: 2, Session: "s", CreateIndex: 3, ModifyIndex: 4}}},
		"refused": {text: `{"Results":null,"Errors":[{"OpIndex":1,"What":"failed \"a\": index \u003c 2"}]}`,
			failed: api.TxnErrors{{OpIndex: 1, What: `failed "a": index < 2`}}},
		"empty":            {text: `{}`},
		"null":             {text: ` null `},
		"no value":         {text: `{"Results":[{"KV":{"Key":"a","Value":null}}]}`, pairs: api.KVPairs{{Key: "a"}}},
		"spaces":           {text: ` { "Results" : [ { "KV" : { "Key" : "a" } } , { "KV" : null } ] } `, pairs: api.KVPairs{{Key: "a"}}},
		"more than we ask": {text: `{"Index":1,"KnownLeader":true,"X":[{"Y":[-1.5e3,false,"\"",null,{}]}],"Results":[{"Node":{"ID":"n"}}]}`},
		"cut off":          {text: `{"Results":[{"KV":{"Key":"a"`, bad: true},
		"cut off in text":  {text: `{"Results":[{"KV":{"Key":"a\`, bad: true},
		"two":              {text: `{}{}`, bad: true},
		"a list":           {text: `[]`, bad: true},
		"nothing":          {text: ``, bad: true},
		"an odd number":    {text: `{"Results":[{"KV":{"ModifyIndex":-1}}]}`, bad: true},
		"too high":         {text: `{"Results":[{"KV":{"ModifyIndex":18446744073709551616}}]}`, bad: true},
		"highest":          {text: `{"Results":[{"KV":{"ModifyIndex":18446744073709551615}}]}`, pairs: api.KVPairs{{ModifyIndex: 1<<64 - 1}}},
		"no base64":        {text: `{"Results":[{"KV":{"Value":"x"}}]}`, bad: true},
		"which operation":  {text: `{"Errors":[{"OpIndex":99999}]}`, bad: true},
	} {
		pairs, failed, err := decodeTxn([]byte(tt.text))
		if tt.bad != errors.Is(err, errAnswer) || !reflect.DeepEqual(pairs, tt.pairs) || !reflect.DeepEqual(failed, tt.failed) {
			t.Errorf("%s: %v, %v, %v", name, pairs, failed, err)
		}
	}
}

// What encoding/json writes of an answer is read as it was, and anything else does no harm.
func FuzzDecodeTxn(f *testing.F) {
	f.Add("a", []byte("v"), uint64(7), "what", []byte(`{"Results":[{"KV":{"Key":"a","Value":"eA=="}}],"Errors":[{"OpIndex":1,"What":"\u00e9"}]}`))
	f.Add(`"\`, []byte{}, uint64(0), "<é>", []byte(`{"X":[[[[{"a":1e3,"b":[true,null,"\\"]}]]]]}`))
	f.Add("", []byte{0xff}, uint64(1<<64-1), "\x00", []byte(`[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[`))
	f.Fuzz(func(t *testing.T, key string, value []byte, index uint64, what string, raw []byte) {
		if pairs, failed, err := decodeTxn(raw); err == nil && !json.Valid(raw) && len(pairs)+len(failed) > len(raw) {
			t.Errorf("%q is %v, %v", raw, pairs, failed)
		}
		sent := api.TxnResponse{
			Results: api.TxnResults{{KV: &api.KVPair{Key: key, Value: value, ModifyIndex: index}}, {}},
			Errors:  api.TxnErrors{{OpIndex: int(index % maxOps), What: what}},
		}
		text, err := json.Marshal(sent)
		if err != nil {
			t.Fatal(err)
		}
		var want api.TxnResponse
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		pairs, failed, err := decodeTxn(text)
		if err != nil || len(pairs) != 1 || !reflect.DeepEqual(pairs[0], want.Results[0].KV) || !reflect.DeepEqual(failed, want.Errors) {
			t.Errorf("%s is %v, %v, %v", text, pairs, failed, err)
		}
	})
}
