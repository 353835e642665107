package eureka

import "time"

// Limits of what clients send.
const (
	// MaxBody bounds an instance that registers, MaxBatch a batch of a peer, in bytes.
	MaxBody  = 256 << 10
	MaxBatch = 4 << 20
	// MaxBatchItems is how many operations a batch may hold; Eureka sends 250.
	MaxBatchItems = 1000
	// MaxPairs bounds the query of a request that sets metadata.
	MaxPairs = 256

	maxDepth      = 12   // of elements or objects in each other
	maxNodes      = 4096 // elements or values of one instance
	maxBatchNodes = 128 * MaxBatchItems
	maxQueryBytes = 32 << 10
)

// Limits of a node.
const (
	maxInFlight   = 4096       // requests under way; more are answered 503
	maxBodyBytes  = 64 << 20   // of all bodies in memory
	maxPages      = 1024       // rendered answers that are kept
	maxPageBytes  = 128 << 20  // of them together; one that is larger is kept alone
	maxRecent     = 200_000    // changes that a delta may list
	gzipFrom      = 1 << 10    // bytes from which an answer is worth packing
	maxPacking    = 4          // answers that are packed at once
	recentEntries = 3 * minute // for which a change is in the delta
	recentSweep   = 30 * second
)

// Times.
const (
	second = time.Second
	minute = time.Minute

	requestTime = 15 * time.Second // of one request
	stallTime   = 30 * time.Second // for a client to send its body, or take its answer
	readyTime   = 5 * time.Second  // for which a request waits for the view to be whole
	wholeTime   = 30 * time.Second // after which the view is shown without services that do not answer
	againTime   = 10 * time.Second // after a view could not begin, before it is tried again
	seenTime    = time.Second      // for which who changes something waits until this node shows it

	// pageShare: rendering takes no more than one part in so many of the time.
	pageShare = 10
)

// Leases, in seconds.
const (
	DefaultRenewal  = 30
	DefaultDuration = 90
	MinDuration     = 1
	MaxDuration     = 24 * 60 * 60
)

// What self-preservation means.
const (
	// preserveFor is how long who renews no more is kept while too many do not.
	preserveFor = 24 * time.Hour
	// preserveFrom is the part of all leases that may be missed at once before none
	// of them is given up.
	preserveFrom = 0.15
	evictEvery   = 5 * time.Second
	evictAtOnce  = 1000
)
