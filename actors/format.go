package actors

// Formats of states. A program reads all of them, and writes the newest that every
// member of the cloud reads: so a node of an earlier version can take over a grain at
// any time while others are upgraded, and loses nothing that it does not know. A record
// says in which format it is; a program refuses one that is newer than itself. What has
// been written in a format is never written in an earlier one again.
//
// A change of a kind's State that an earlier program would lose, or read otherwise, is
// a new format, and the kind asks Input.Writes before it makes use of it.
const (
	FormatFirst uint32 = 1 // the one without a name

	// FormatLean: a network's ports that follow from their instance have no index entry
	// by it, nor it a row; an instance has the newest entry of its history in the state,
	// also when that has ended, and its newest decision as it is; a host remembers
	// that it rests.
	FormatLean uint32 = 2

	// Format is the newest that this program knows.
	Format = FormatLean
)
