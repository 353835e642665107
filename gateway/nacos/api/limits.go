package api

import "time"

// Limits of requests over HTTP.
const (
	// MaxParams is how many parameters a request may have, query and form together.
	MaxParams = 512
	// MaxQueryBytes bounds the query: net/http bounds the head of a request as a whole.
	MaxQueryBytes = 64 << 10
	// MaxUpload bounds a multipart body where its route says nothing else.
	MaxUpload = 64 << 20

	// DefaultMaxInFlight is how many requests are under way at once, and
	// DefaultMaxHanging how many long polls hang; more are answered 503.
	DefaultMaxInFlight = 4096
	DefaultMaxHanging  = 65536
	// DefaultMaxBodies bounds the bytes of all bodies that are in memory at once.
	DefaultMaxBodies = 256 << 20

	// bodyChunk is how much of a body is read at once.
	bodyChunk = 64 << 10

	// DefaultTimeout is the deadline of a request that does not hang.
	DefaultTimeout = 30 * time.Second
	// stallTimeout is how long a client may take to send its body, and to take an
	// answer, or one chunk of a stream.
	stallTimeout = 60 * time.Second

	// gzipFrom is the size from which an answer is worth packing, and maxGzip how
	// many are being packed at once; others go out as they are.
	gzipFrom = 1 << 10
	maxGzip  = 16
	// pageNoMax keeps page numbers times page sizes within an int.
	pageNoMax = 1 << 24
)

// Limits of names and values that both naming and configuration have.
const (
	MaxNamespaceID   = 64
	MaxNamespaceName = 256
	MaxServiceName   = 512
	MaxGroup         = 128
	MaxDataID        = 256
	MaxCluster       = 64
	MaxIP            = 128
	MaxPort          = 65535
	MaxPassword      = 72
	MaxPageSize      = 500 // of what is capped
)

// Names that stand for nothing said.
const (
	PublicNamespace = "public"
	DefaultGroup    = "DEFAULT_GROUP"
	DefaultCluster  = "DEFAULT"
)
