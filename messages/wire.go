package messages

import (
	"fmt"
	"hash/fnv"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// NameOf is what an Envelope calls m.
func NameOf(m proto.Message) string { return string(m.ProtoReflect().Descriptor().FullName()) }

// Decode makes a message of its name and bytes, as an Envelope or a Reply carries
// them. What this process does not know is Invalid.
func Decode(method string, payload []byte) (proto.Message, error) {
	name := protoreflect.FullName(method)
	if name.Parent() != File_envelope_proto.Package() {
		return nil, fmt.Errorf("no message %.80q: %w", method, Invalid)
	}
	t, err := protoregistry.GlobalTypes.FindMessageByName(name)
	if err != nil {
		return nil, fmt.Errorf("no message %.80q: %w", method, Invalid)
	}
	m := t.New().Interface()
	if err := proto.Unmarshal(payload, m); err != nil {
		return nil, fmt.Errorf("a %.80s that cannot be read: %w", method, Invalid)
	}
	return m, nil
}

// CommandID names m, asked under an outer request: the same however often it is
// asked. It is "" if m cannot be encoded.
func CommandID(request string, m proto.Message) string {
	payload, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return ""
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(NameOf(m)))
	_, _ = h.Write(payload)
	return request + "/" + strconv.FormatUint(h.Sum64(), 36)
}
