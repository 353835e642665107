package messages

import (
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
)

var queries sync.Map // protoreflect.FullName -> bool

// IsQuery says whether m only reads. By convention the messages named Get… are
// queries: they change nothing, commit nothing and need no request id.
func IsQuery(m proto.Message) bool {
	name := m.ProtoReflect().Descriptor().FullName()
	if q, ok := queries.Load(name); ok {
		return q.(bool)
	}
	q := strings.HasPrefix(string(name.Name()), "Get")
	queries.Store(name, q)
	return q
}
