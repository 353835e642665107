package view

import "strings"

// Effect is something that Self asks its shell to do.
type Effect interface{ effect() }

type (
	// PingMember asks for a ping; the outcome is told by Ponged or Missed.
	PingMember struct{ To Member }

	// AskAbout asks a helper to ping somebody; the outcome is told by Asked.
	AskAbout struct{ Helper, About Member }

	// EvictMember takes a member out of the table; the outcome is told by Evicted.
	EvictMember struct {
		Member Member
		Why    string
	}

	// ReadTable asks for a consistent look at the table; told by Seen and Read.
	ReadTable struct{}

	// Fence says that this start is over: everything is dropped at once.
	Fence struct{ Reason string }

	// StableAt says that the view with this index has become stable.
	StableAt struct{ Index uint64 }
)

func (PingMember) effect()  {}
func (AskAbout) effect()    {}
func (EvictMember) effect() {}
func (ReadTable) effect()   {}
func (Fence) effect()       {}
func (StableAt) effect()    {}

func compareNames(a, b Member) int { return strings.Compare(a.Name, b.Name) }
