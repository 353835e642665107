package rpc

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/troupe-cloud/troupe/messages"
)

// The two messages of the wire, which is all there is of protobuf in it:
//
//	message Metadata { string type = 3; map<string,string> headers = 7; string clientIp = 8; }
//	message Payload  { Metadata metadata = 2; google.protobuf.Any body = 3; }
//
// They are read and written by hand: nothing generated is registered under the
// names that the clients' own libraries use, and nothing is built that is thrown
// away again.
const (
	payloadMetadata = 2
	payloadBody     = 3
	metadataType    = 3
	metadataHeaders = 7
	metadataIP      = 8
	anyValue        = 2
	entryKey        = 1
	entryValue      = 2
)

// payload is a message as it came; all of it is part of raw.
type payload struct {
	raw      []byte
	kind     []byte // the simple name of the request's or the response's class
	clientIP []byte // as the client itself believes
	body     []byte // JSON
	headers  []header
}

type header struct{ key, value []byte }

var errPayload = errors.New("this is no payload")

// header is the value of a header, as it came; "" if there is none.
func (p *payload) header(key string) string { return string(p.value(key)) }

// value is header without a copy: a part of raw.
func (p *payload) value(key string) []byte {
	for i := range p.headers {
		if string(p.headers[i].key) == key {
			return p.headers[i].value
		}
	}
	return nil
}

// parse reads p.raw. Invalid if it is not what it should be.
func (p *payload) parse() error {
	err := fields(p.raw, func(n protowire.Number, v []byte) error {
		switch n {
		case payloadMetadata:
			return p.parseMetadata(v)
		case payloadBody:
			return fields(v, func(n protowire.Number, v []byte) error {
				if n == anyValue {
					p.body = v
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w: %w", err, messages.Invalid)
	}
	return nil
}

func (p *payload) parseMetadata(b []byte) error {
	return fields(b, func(n protowire.Number, v []byte) error {
		switch n {
		case metadataType:
			p.kind = v
		case metadataIP:
			p.clientIP = v
		case metadataHeaders:
			return p.parseHeader(v)
		}
		if (n == metadataType || n == metadataIP) && !utf8.Valid(v) {
			return errPayload
		}
		return nil
	})
}

func (p *payload) parseHeader(b []byte) error {
	var h header
	err := fields(b, func(n protowire.Number, v []byte) error {
		switch n {
		case entryKey:
			h.key = v
		case entryValue:
			h.value = v
		}
		return nil
	})
	switch {
	case err != nil || !utf8.Valid(h.key) || !utf8.Valid(h.value):
		return errPayload
	case len(p.headers) >= maxPayloadHeaders || len(h.key) > maxHeaderNameBytes:
		return errPayload
	}
	p.headers = append(p.headers, h)
	return nil
}

// fields visits the fields of a message that have bytes; it skips the others.
func fields(b []byte, visit func(protowire.Number, []byte) error) error {
	for len(b) > 0 {
		n, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			return errPayload
		}
		b = b[size:]
		if kind != protowire.BytesType {
			if size = protowire.ConsumeFieldValue(n, kind, b); size < 0 {
				return errPayload
			}
			b = b[size:]
			continue
		}
		v, size := protowire.ConsumeBytes(b)
		if size < 0 {
			return errPayload
		}
		if err := visit(n, v); err != nil {
			return err
		}
		b = b[size:]
	}
	return nil
}

// headroom is what the frame of a payload takes before its body.
const headroom = 96

// frame writes the frame of a payload whose body stands in b from headroom on, in
// front of it, and returns the whole. The name of a kind is a short one.
func frame(b []byte, kind string) []byte {
	body := len(b) - headroom
	inAny := 1 + protowire.SizeVarint(uint64(body)) // tag and length of value
	if body == 0 {
		inAny = 0
	}
	inMetadata := 1 + protowire.SizeVarint(uint64(len(kind))) + len(kind)
	size := 1 + protowire.SizeVarint(uint64(inMetadata)) + inMetadata + 1 + protowire.SizeVarint(uint64(inAny+body)) + inAny
	start := headroom - size
	h := b[start:start]
	h = protowire.AppendTag(h, payloadMetadata, protowire.BytesType)
	h = protowire.AppendVarint(h, uint64(inMetadata))
	h = protowire.AppendTag(h, metadataType, protowire.BytesType)
	h = protowire.AppendString(h, kind)
	h = protowire.AppendTag(h, payloadBody, protowire.BytesType)
	h = protowire.AppendVarint(h, uint64(inAny+body))
	if body > 0 {
		h = protowire.AppendTag(h, anyValue, protowire.BytesType)
		protowire.AppendVarint(h, uint64(body))
	}
	return b[start:]
}

// pack is a payload with a body of its own.
func pack(kind string, body []byte) []byte {
	b := append(make([]byte, headroom, headroom+len(body)), body...)
	return frame(b, kind)
}
