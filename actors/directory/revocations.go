package directory

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Revocation ends tokens issued at or before At. It is forgotten at ExpiresAt,
// when every such token has ended by itself. Both are Unix nanoseconds.
type Revocation struct{ At, ExpiresAt int64 }

const (
	// purgeEvery is how often, at most, ended revocations are looked for.
	purgeEvery = 10 * time.Minute
	// maxTokenLife is longer than any token lives, so what has no expiry of its
	// own is remembered that long.
	maxTokenLife = 31 * 24 * time.Hour
)

func userSubject(id string) string  { return "user/" + id }
func auditSubject(id string) string { return "audit/" + id }
func keySubject(id string) string   { return "key/" + id }

func revokeTokens(s State, in actors.Input, m *messages.RevokeTokens) (State, proto.Message, error) {
	subject := ""
	switch {
	case m.AuditId != "":
		subject = auditSubject(m.AuditId)
	case m.UserId != "":
		subject = userSubject(m.UserId)
	case m.KeyId != "":
		subject = keySubject(m.KeyId)
	}
	if subject == "" || len(subject) > MaxNameBytes {
		return s, nil, fmt.Errorf("a revocation names a token, a user or a key: %w", messages.Invalid)
	}
	limit := in.Now.Add(maxTokenLife).UnixNano()
	expires := m.ExpiresAt
	if expires <= 0 || expires > limit {
		expires = limit
	}
	after, err := s.revoke(in.Now, subject, expires)
	return after, nil, err
}

// revoke remembers that subject's tokens have ended, and from time to time
// forgets those whose tokens are over anyway.
func (s State) revoke(now time.Time, subject string, expires int64) (State, error) {
	at := now.UnixNano()
	if at >= s.NextPurge || s.Revoked.Len() >= MaxRevocations {
		s = s.purge(now)
	}
	if err := room("revoked tokens", s.Revoked.Len(), MaxRevocations); err != nil {
		return s, err
	}
	s.Revoked = s.Revoked.Set(subject, Revocation{At: at, ExpiresAt: expires})
	return s, nil
}

func (s State) purge(now time.Time) State {
	for subject, r := range s.Revoked.All() {
		if r.ExpiresAt <= now.UnixNano() {
			s.Revoked = s.Revoked.Delete(subject)
		}
	}
	s.NextPurge = now.Add(purgeEvery).UnixNano()
	return s
}

// revoked says whether a token issued then is over. An audit id names one
// token, so for it the time does not matter.
func (s State) revoked(m *messages.GetAccess) bool {
	if m.AuditId == "" {
		return false
	}
	if _, ok := s.Revoked.Get(auditSubject(m.AuditId)); ok {
		return true
	}
	for _, subject := range []string{userSubject(m.UserId), keySubject(m.KeyId)} {
		if r, ok := s.Revoked.Get(subject); ok && m.IssuedAt <= r.At {
			return true
		}
	}
	return false
}
