package bench

import (
	"encoding/binary"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of the payload that Nacos' clients and servers say everything in.
const (
	payloadMetadata, payloadBody              = 2, 3
	metadataType, metadataHeaders, metadataIP = 3, 7, 8
	anyValue, mapKey, mapValue                = 2, 1, 2
	grpcPrefix                                = 5 // flag and length before a message
)

// appendPayload appends one gRPC message: a request of a kind, with the token of who
// asks, and its JSON.
func appendPayload(b []byte, kind, token, json string) []byte {
	headers := 0
	if token != "" {
		headers = sizeField(len("accessToken")) + sizeField(len(token))
	}
	metadata := sizeField(len(kind))
	if headers > 0 {
		metadata += sizeField(headers)
	}
	body := sizeField(len(json))
	b = append(b, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(sizeField(metadata)+sizeField(body)))
	b = appendLength(b, payloadMetadata, metadata)
	b = appendText(b, metadataType, kind)
	if headers > 0 {
		b = appendLength(b, metadataHeaders, headers)
		b = appendText(b, mapKey, "accessToken")
		b = appendText(b, mapValue, token)
	}
	b = appendLength(b, payloadBody, body)
	return appendText(b, anyValue, json)
}

// sizeField is the size of a field of n bytes; all numbers here take one byte.
func sizeField(n int) int { return 1 + protowire.SizeBytes(n) }

func appendLength(b []byte, number protowire.Number, n int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.BytesType), uint64(n))
}

func appendText(b []byte, number protowire.Number, s string) []byte {
	return append(appendLength(b, number, len(s)), s...)
}
