package rpc

import "time"

// Limits of connections and of what they may have.
const (
	MaxInbound         = 10 << 20             // bytes of one message
	maxBuffered        = 2*MaxInbound + 1<<20 // bytes of requests of one connection that are not complete
	maxCalls           = 1024                 // of one connection at once
	maxPayloadHeaders  = 64                   // entries of a request's own headers
	maxHeaderNameBytes = 128                  // of one of them

	DefaultMaxConnections = 65_536 // on one node
	DefaultMaxPerAddress  = 20_000 // from one address

	DefaultMaxSubscriptions = 10_000 // services that one connection subscribes to
	DefaultMaxListens       = 10_000 // keys that one connection listens to, also in one request
	DefaultMaxServices      = 50_000 // services in which one connection has instances
	MaxLocks                = 1000   // that one connection holds
	MaxPatterns             = 20     // fuzzy watches of one connection
	MaxMatches              = 500    // names that one pattern matches
	maxPatternBytes         = 1024
	maxReceivedKeys         = 10_000 // that a client may say it knows already

	maxLabels        = 32  // of a connection
	maxLabelBytes    = 256 // of one of them, and of other texts of the setup
	maxPageSize      = 10_000
	maxRequestIDText = 128
)

// Times of connections.
const (
	setupTime      = 15 * time.Second     // between the first byte and the setup
	idleTime       = 20 * time.Second     // without a word from the client, before it is asked whether it lives
	detectTime     = 5 * time.Second      // for its answer
	slowTime       = 10 * time.Second     // that one push may take to be written before the client is given up
	headTime       = 10 * time.Second     // for the first bytes of a connection, by which its protocol is told
	handleTime     = 10 * time.Second     // of one request
	firstListen    = 3 * time.Second      // that a listen waits to hear what there is
	tickTime       = time.Second          // between two looks at all connections
	acceptPause    = 5 * time.Millisecond // after a connection could not be accepted; grows
	acceptMaxPause = time.Second
	clockTick      = 100 * time.Millisecond
	releaseTime    = 5 * time.Second // of letting go one lock of a connection that has ended
	metricsTime    = 3 * time.Second // for the answer to a question about a client's metrics
)

// Pushes: how long an answer is waited for, and when it is tried again.
const (
	namingAck   = 5 * time.Second
	namingRetry = time.Second
	configAck   = 3 * time.Second
	configRetry = 2 * time.Second // times the number of tries
	configTries = 50
	fuzzyTries  = 10

	pushWorkers = 256 // connections that are written to at once
)
