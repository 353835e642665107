package proxy

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/troupe-cloud/troupe/gateway/door"
)

// isGRPC says whether r is a call of gRPC, which needs HTTP/2 all the way.
func isGRPC(r *http.Request) bool {
	rest, ok := strings.CutPrefix(strings.ToLower(r.Header.Get("Content-Type")), "application/grpc")
	return ok && r.ProtoMajor == 2 && (rest == "" || rest[0] == '+' || rest[0] == ';')
}

// Status codes of gRPC for those of HTTP. Source: grpc/doc/http-grpc-status-mapping.md.
var grpcStatus = map[int]int{
	http.StatusBadRequest: 13, http.StatusUnauthorized: 16, http.StatusForbidden: 7, http.StatusNotFound: 12,
	http.StatusTooManyRequests: 14, http.StatusBadGateway: 14, http.StatusServiceUnavailable: 14, http.StatusGatewayTimeout: 14,
	http.StatusRequestEntityTooLarge: 8,
}

// failGRPC answers with trailers only, as gRPC does.
func failGRPC(w http.ResponseWriter, r *door.Refusal) {
	code, known := grpcStatus[r.Status]
	if !known {
		code = 2 // unknown
	}
	h := w.Header()
	h.Set("Content-Type", "application/grpc")
	h.Set("Grpc-Status", strconv.Itoa(code))
	h.Set("Grpc-Message", r.Sentence)
	w.WriteHeader(http.StatusOK)
}
