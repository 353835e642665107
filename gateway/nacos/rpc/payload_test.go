package rpc

import (
	"bytes"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// client is a payload as clients write it.
func client(kind, ip string, headers map[string]string, body string) []byte {
	var m []byte
	m = protowire.AppendTag(m, metadataType, protowire.BytesType)
	m = protowire.AppendString(m, kind)
	for k, v := range headers {
		e := protowire.AppendString(protowire.AppendTag(nil, entryKey, protowire.BytesType), k)
		e = protowire.AppendString(protowire.AppendTag(e, entryValue, protowire.BytesType), v)
		m = protowire.AppendBytes(protowire.AppendTag(m, metadataHeaders, protowire.BytesType), e)
	}
	m = protowire.AppendString(protowire.AppendTag(m, metadataIP, protowire.BytesType), ip)
	a := protowire.AppendString(protowire.AppendTag(nil, anyValue, protowire.BytesType), body)
	p := protowire.AppendBytes(protowire.AppendTag(nil, payloadMetadata, protowire.BytesType), m)
	return protowire.AppendBytes(protowire.AppendTag(p, payloadBody, protowire.BytesType), a)
}

func TestPayload(t *testing.T) {
	p := payload{raw: client("HealthCheckRequest", "10.0.0.1", map[string]string{"app": "x"}, `{"requestId":"1"}`)}
	if err := p.parse(); err != nil {
		t.Fatal(err)
	}
	if string(p.kind) != "HealthCheckRequest" || string(p.clientIP) != "10.0.0.1" || p.header("app") != "x" || string(p.body) != `{"requestId":"1"}` {
		t.Errorf("got %q", []any{p.kind, p.clientIP, p.headers, p.body})
	}
}

func TestFrame(t *testing.T) {
	for _, size := range []int{0, 1, 100, 127, 128, 20_000, 3 << 20} {
		body := bytes.Repeat([]byte("x"), size)
		p := payload{raw: pack("ConfigFuzzyWatchChangeNotifyRequest", body)}
		if err := p.parse(); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if string(p.kind) != "ConfigFuzzyWatchChangeNotifyRequest" || !bytes.Equal(p.body, body) {
			t.Errorf("%d bytes came back as %q and %d bytes", size, p.kind, len(p.body))
		}
	}
}

func FuzzPayload(f *testing.F) {
	f.Add(client("InstanceRequest", "::1", map[string]string{"accessToken": "t", "": ""}, "{}"))
	f.Add(client(strings.Repeat("x", 300), "", nil, ""))
	f.Add([]byte{0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Add([]byte{0x13, 0x14})
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := payload{raw: raw}
		if p.parse() != nil {
			return
		}
		if len(p.headers) > maxPayloadHeaders {
			t.Fatalf("%d headers", len(p.headers))
		}
		if len(p.kind) < 60 {
			again := payload{raw: pack(string(p.kind), p.body)}
			if err := again.parse(); err != nil || !bytes.Equal(again.body, p.body) || !bytes.Equal(again.kind, p.kind) {
				t.Fatalf("%q came back as %q: %v", p.body, again.body, err)
			}
		}
	})
}
