package service

import "time"

// Limits of names and values, in characters where nothing else is said. Dialects
// refer to them; nobody repeats a number.
const (
	MaxNamespaceChars      = 64
	MaxNamespaceNameChars  = 256 // what is shown for a namespace
	MaxGroupChars          = 128
	MaxNameChars           = 512
	MaxClusterChars        = 64
	MaxAddressChars        = 128 // of an IP address or a host name
	MaxPort                = 65535
	MaxMetadataChars       = 1024 // of an endpoint: keys and values together
	MaxServiceMetadata     = 8192 // of a service or a cluster: keys and values together
	MaxWeight              = 10000
	MaxAppChars            = 128
	MaxEndpointIDChars     = 1024
	MaxOwnerChars          = 256
	MaxOverrideChars       = 64
	MaxStatusChars         = 64
	MaxDocumentBytes       = 32 << 10
	MaxSelectorChars       = 1024
	MaxSelectorLabels      = 16
	MaxCheckPathChars      = 1024
	MaxCheckHeadersChars   = 4096
	MaxExpectedCodes       = 32
	MaxClusters            = 1000
	MaxEndpoints           = 200_000 // of one service, every owner's counted
	MaxEndpointsPerMessage = 10_000
	MaxAnnounced           = 64   // endpoints that one server may have here
	MaxPersistent          = 2000 // persistent endpoints that one message may change: what one commit takes
)

// Times of endpoints that beats keep, where their metadata say nothing else.
const (
	BeatInterval  = 5 * time.Second
	BeatTimeout   = 15 * time.Second // without a beat an endpoint is unhealthy after it
	DeleteTimeout = 30 * time.Second // and is removed after this
)

// MaxTimeout bounds what metadata may ask for.
const MaxTimeout = 30 * 24 * time.Hour

// Times of owners and of the service itself.
const (
	OwnerGrace    = 2 * time.Second  // after DropOwner, for the client to come back
	MemberTimeout = 15 * time.Second // a member that sent no KeepOwners for so long is dead
	KeepEvery     = 5 * time.Second  // at which a member sends KeepOwners
	EmptyTime     = 60 * time.Second // after which a service without endpoints goes, if nobody made it on purpose
	SnapshotEvery = 5 * time.Second  // at which ephemeral endpoints are stored, if they changed
)
