package configs

import "time"

// Limits of searches and lists.
const (
	// maxScanned is how many index entries one search looks at, and maxRead how many
	// contents one search for a text in them reads. What needs more is refused: half
	// an answer would look like a whole one.
	maxScanned = 200_000
	maxRead    = 5_000
	// readsAtOnce is how many contents one request reads at the same time.
	readsAtOnce = 16
	// maxPageBytes bounds the contents of one page, maxListed the keys of a list that
	// has no pages, and maxIDs the numbers in one request.
	maxPageBytes = 64 << 20
	maxListed    = 50_000
	maxIDs       = 1_000
	// maxPattern is how long a search pattern may be.
	maxPattern = 1_024
	// maxListeners is how many listeners one node tells of.
	maxListeners = 50_000
	// historyScanned is how many lines of a key's history are looked at for one page;
	// lookAhead is in how many later changes that of the same content is looked for.
	historyScanned = 100_000
	lookAhead      = 100
)

// Limits of archives.
const (
	// maxArchive is how large an archive may be as it comes; maxUnpacked is how much
	// it may hold, maxItems in how many entries.
	maxArchive  = 32 << 20
	maxUnpacked = 256 << 20
	maxItems    = 10_000
	// maxUpload is how large a form with an archive may be.
	maxUpload = maxArchive + 1<<20
	// maxMetadata is how large the description in an archive may be, maxField a field
	// of the form that it comes in.
	maxMetadata = 8 << 20
	maxField    = 1 << 10
	// maxImports is how many archives are in memory at once.
	maxImports = 2
	// maxClone is how large the list of what is to be cloned may be.
	maxClone = 1 << 20
)

// Limits and times of long polls.
const (
	// maxKeys is how many keys one poll may be about.
	maxKeys = 10_000
	// maxPoll is how large its form may be: each key with all its names, escaped.
	maxPoll = maxKeys * 2 << 10
	// maxMD5 is how long the MD5 that a client says may be; 32 is right.
	maxMD5 = 64
	// A poll hangs for what its client asked less pollMargin, so that the answer is
	// there before the client gives up; between minHang and maxHang.
	minHang    = 10 * time.Second
	maxHang    = 10 * time.Minute
	pollMargin = 500 * time.Millisecond
	// firstLook is how long a poll that does not hang waits for states.
	firstLook = 3 * time.Second
	// Refused polls are answered after refusalPause to twice that, so that a client
	// that asks again at once does not spin; refusalsAtOnce wait, the rest does not.
	refusalPause   = time.Second
	refusalsAtOnce = 4_096
	// maxProbeHeader bounds the headers for clients before 2.0.4.
	maxProbeHeader = 8 << 10
)
