package consul

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/hashicorp/consul/api"
)

// Transactions are written and read here and not by encoding/json, for that was a
// quarter of what a create costs a node, and most of what it costs to load an actor
// with thousands of rows. The form is Consul's (api.KVTxnOp, structs.TxnResponse).

// encodeTxn appends the body of a transaction.
func encodeTxn(b []byte, ops api.KVTxnOps) []byte {
	b = append(b, '[')
	for i, op := range ops {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(append(b, `{"KV":{"Verb":`...), string(op.Verb))
		b = appendText(append(b, `,"Key":`...), op.Key)
		if op.Value != nil {
			b = append(b, `,"Value":"`...)
			b = base64.StdEncoding.AppendEncode(b, op.Value)
			b = append(b, '"')
		}
		if op.Index != 0 {
			b = strconv.AppendUint(append(b, `,"Index":`...), op.Index, 10)
		}
		if op.Session != "" {
			b = appendText(append(b, `,"Session":`...), op.Session)
		}
		b = append(b, `}}`...)
	}
	return append(b, ']')
}

// appendText appends a JSON string. Names of entries need no escaping.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string always can be
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// sizeTxn is about how long the body will be.
func sizeTxn(ops api.KVTxnOps) (n int) {
	for _, op := range ops {
		n += len(op.Key) + base64.StdEncoding.EncodedLen(len(op.Value)) + len(op.Session) + 80
	}
	return n
}

var errAnswer = errors.New("the answer of Consul is not one to a transaction")

// decodeTxn reads the answer to a transaction: the entries, or what failed. What it
// does not know of is left out. The values are copies.
func decodeTxn(body []byte) (pairs api.KVPairs, failed api.TxnErrors, err error) {
	s := &scan{b: body}
	ok := s.object(func(name string) bool {
		switch name {
		case "Results":
			return s.array(func() bool { return s.result(&pairs) })
		case "Errors":
			return s.array(func() bool {
				e := &api.TxnError{}
				failed = append(failed, e)
				return s.failure(e)
			})
		}
		return s.skip()
	})
	if s.space(); !ok || s.at != len(body) {
		return nil, nil, errAnswer
	}
	return pairs, failed, nil
}

func (s *scan) result(pairs *api.KVPairs) bool {
	return s.object(func(name string) bool {
		if name != "KV" {
			return s.skip()
		}
		if s.null() {
			return true
		}
		pair := &api.KVPair{}
		*pairs = append(*pairs, pair)
		return s.object(func(name string) bool { return s.field(pair, name) })
	})
}

func (s *scan) field(pair *api.KVPair, name string) (ok bool) {
	switch name {
	case "Key":
		pair.Key, ok = s.text()
	case "Value":
		pair.Value, ok = s.base64()
	case "CreateIndex":
		pair.CreateIndex, ok = s.number()
	case "ModifyIndex":
		pair.ModifyIndex, ok = s.number()
	case "LockIndex":
		pair.LockIndex, ok = s.number()
	case "Flags":
		pair.Flags, ok = s.number()
	case "Session":
		pair.Session, ok = s.text()
	default:
		ok = s.skip()
	}
	return ok
}

func (s *scan) failure(e *api.TxnError) bool {
	return s.object(func(name string) (ok bool) {
		switch name {
		case "OpIndex":
			var n uint64
			n, ok = s.number()
			if e.OpIndex = int(n); n > maxOps {
				return false
			}
		case "What":
			e.What, ok = s.text()
		default:
			ok = s.skip()
		}
		return ok
	})
}
