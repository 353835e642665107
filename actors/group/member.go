package group

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Phase is what a member is to the group.
type Phase int

// Phases of a member.
const (
	Creating Phase = iota // its instance has not said yet that it exists
	Starting              // it has never been in use
	InUse
	Sick    // it was in use, and is not well now
	Leaving // it is being deleted
)

func (p Phase) String() string {
	return [...]string{"creating", "starting", "in-use", "sick", "leaving"}[p]
}

// Member is one instance of the group. What it is was last said by the instance
// itself, its host and its services.
type Member struct {
	Name      string
	Serial    int64
	Revision  int64
	Phase     Phase
	Confirmed bool   // the instance exists, or has existed
	Used      bool   `json:",omitempty"` // it has been in use
	Lost      bool   `json:",omitempty"` // it leaves because it is of no use: it does not count as one above the desired number
	Why       string `json:",omitempty"`
	Since     int64  // in this phase; Unix nanoseconds

	VM        messages.VMState   `json:",omitempty"`
	Task      messages.TaskState `json:",omitempty"`
	Fault     string             `json:",omitempty"`
	Host      string             `json:",omitempty"`
	DownSince int64              `json:",omitempty"` // its host; 0: it is up, as far as is known
	Addresses []string           `json:",omitempty"`
	Unwell    []string           `json:",omitempty"` // services that do not find it healthy
}

// work is what has to be asked of the instance until it is confirmed.
type work int

const (
	nothing work = iota
	creates
	removes
)

// work: an instance whose create may still be on its way is created before it is
// deleted, or the create might come after the delete, and nobody would know of it.
func (m Member) work() work {
	switch {
	case !m.Confirmed:
		return creates
	case m.Phase == Leaving:
		return removes
	}
	return nothing
}

// stranded: it leaves, and cannot, for its host is down. It does not count: somebody
// else is in its place.
func (m Member) stranded() bool { return m.Phase == Leaving && m.Lost && m.DownSince != 0 }

func (m Member) in(p Phase, now time.Time) Member {
	if m.Phase != p {
		m.Phase, m.Since = p, now.UnixNano()
	}
	return m
}

// ill says why a member is not well; "" if it is. Fatal: and never will be.
func (m Member) ill() (why string, fatal bool) {
	switch {
	case !m.Confirmed:
		return "its create has not been answered", false
	case m.VM == messages.VMState_VM_STATE_ERROR:
		return "it is in ERROR: " + m.Fault, true
	case m.VM == messages.VMState_VM_STATE_BUILDING:
		return "it is being built", false
	case m.VM != messages.VMState_VM_STATE_ACTIVE:
		return "it does not run", false
	case m.DownSince != 0:
		return "host " + m.Host + " is down", false
	case len(m.Unwell) > 0:
		return "not healthy in " + strings.Join(m.Unwell, ", "), false
	}
	return "", false
}

// members are all, in the order of their numbers.
func (s State) members() []named {
	var all []named
	for id, m := range s.Members.All() {
		all = append(all, named{id, m})
	}
	slices.SortFunc(all, func(a, b named) int { return int(a.Serial - b.Serial) })
	return all
}

type named struct {
	id string
	Member
}

// add decides on one more member, of a revision.
func (s State) add(revision int64, now time.Time) State {
	s.Serial++
	name := s.Name + "-" + strconv.FormatInt(s.Serial, 10)
	t, _ := s.Templates.Get(revisionKey(revision))
	s.Members = s.Members.Set(instanceID(s.ID, s.Serial, now), Member{
		Name: name, Serial: s.Serial, Revision: revision, Since: now.UnixNano(), Unwell: t.Services,
	})
	return s
}

var memberSpace = uuid.MustParse("5c3b9a34-7f0e-4f5e-9d53-0d6f5a0f6f11")

// instanceID is the id of the group's nth member. It begins with the time, as those
// of other servers do, so that what is made together stands together in the store.
func instanceID(group string, serial int64, now time.Time) string {
	id := uuid.NewSHA1(memberSpace, fmt.Appendf(nil, "%s/%d", group, serial))
	ms := uint64(now.UnixMilli())
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	id[6] = id[6]&0x0f | 0x80 // version 8 (RFC 9562): of our own making
	return id.String()
}

// hostname is that of the nth member; "" is left to the instance.
func hostname(base string, serial int64) string {
	if base == "" {
		return ""
	}
	suffix := "-" + strconv.FormatInt(serial, 10)
	if room := maxHostname - len(suffix); len(base) > room {
		base = strings.TrimRight(base[:room], "-")
	}
	return base + suffix
}

func revisionKey(revision int64) string { return strconv.FormatInt(revision, 10) }

func askView(s State, id string) actors.Effect {
	return actors.Ask{To: actors.Ref{Kind: "instance", ID: id}, Message: &messages.GetInstance{Scope: s.ProjectID}}
}
