package api

import (
	"encoding/hex"
	"math/rand/v2"
	"strings"
)

const requestPrefix = "req-"

// Canonical forms, so that setting them needs no canonicalisation.
const (
	headerRequestID        = "X-Openstack-Request-Id"
	headerComputeRequestID = "X-Compute-Request-Id"
)

// identify gives the request its own id. An id sent by the client is kept for
// the log only: commands are remembered by request id, so nobody outside may
// choose one.
func (x *exchange) identify() {
	x.req.ID = newRequestID()
	if sent := x.req.Header.Get(headerRequestID); validRequestID(sent) {
		x.req.GlobalID = sent
	}
	h, id := x.Header(), []string{x.req.ID}
	h[headerRequestID] = id
	if x.mount.dialect.Name == "compute" {
		h[headerComputeRequestID] = id[:1:1]
	}
}

// newRequestID is "req-" and a random UUID (RFC 9562, version 4). Ids must
// differ but need not be secret, so the runtime's fast generator serves.
func newRequestID() string {
	var u [16]byte
	for half := range 2 {
		n := rand.Uint64()
		for i := range 8 {
			u[8*half+i] = byte(n >> (8 * i))
		}
	}
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	var b [len(requestPrefix) + 36]byte
	copy(b[:], requestPrefix)
	encodeUUID(b[len(requestPrefix):], u)
	return string(b[:])
}

func encodeUUID(dst []byte, u [16]byte) {
	hex.Encode(dst[0:8], u[0:4])
	hex.Encode(dst[9:13], u[4:6])
	hex.Encode(dst[14:18], u[6:8])
	hex.Encode(dst[19:23], u[8:10])
	hex.Encode(dst[24:36], u[10:16])
	dst[8], dst[13], dst[18], dst[23] = '-', '-', '-', '-'
}

// validRequestID says whether s is req-<uuid>.
func validRequestID(s string) bool {
	u, ok := strings.CutPrefix(s, requestPrefix)
	if !ok || len(u) != 36 {
		return false
	}
	for i := range len(u) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if u[i] != '-' {
				return false
			}
		} else if !strings.ContainsRune("0123456789abcdefABCDEF", rune(u[i])) {
			return false
		}
	}
	return true
}
