package rpc

import (
	"fmt"

	"google.golang.org/grpc/mem"
)

// codec is the clients' of the tests: payloads as they are.
type codec struct{}

func (codec) Name() string { return "proto" }

func (codec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("a %T cannot be sent", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*payload) = payload{raw: data.Materialize()}
	return nil
}
