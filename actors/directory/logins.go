package directory

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Failure counts the failed logins of a user since the last good one.
type Failure struct {
	Count        int
	First, Until int64 // of the window; until when nobody gets in. Unix ns
}

// MaxFailures logins may fail within failureWindow; then nobody gets in as that
// user for lockout, which is short: it stops guessing, not the user's day.
const (
	MaxFailures   = 10
	failureWindow = 5 * time.Minute
	lockout       = time.Minute
)

func recordLogin(s State, in actors.Input, m *messages.RecordLogin) (State, proto.Message, error) {
	if _, ok := s.Users.Get(m.UserId); !ok {
		return s, nil, absent("user", m.UserId)
	}
	if s.lockedOut(m.UserId, in.Now) {
		return s, nil, errLockedOut // also one that guessed right beside many that did not
	}
	if m.Success {
		s.Failures = s.Failures.Delete(m.UserId)
		return s, nil, nil
	}
	now := in.Now
	f, _ := s.Failures.Get(m.UserId)
	if now.UnixNano()-f.First > int64(failureWindow) {
		f = Failure{First: now.UnixNano()}
	}
	f.Count++
	if f.Count >= MaxFailures {
		f = Failure{Until: now.Add(lockout).UnixNano()}
	}
	s.Failures = s.Failures.Set(m.UserId, f)
	return s, nil, nil
}

var errLockedOut = fmt.Errorf("too many failed logins: try again later: %w", messages.Denied)

func (s State) lockedOut(user string, now time.Time) bool {
	f, ok := s.Failures.Get(user)
	return ok && f.Until > now.UnixNano()
}

// getLogin finds whose password or secret is to be checked.
func getLogin(s State, in actors.Input, m *messages.GetLogin) (*messages.LoginView, error) {
	v := &messages.LoginView{}
	if m.CredentialId != "" || m.CredentialName != "" {
		c, err := s.credential(in, m)
		if err != nil {
			return nil, err
		}
		v.Credential = proto.CloneOf(c)
		m = &messages.GetLogin{User: &messages.UserRef{Id: c.UserId}}
	}
	u, err := s.user(m.User)
	if err != nil {
		return nil, err
	}
	if s.lockedOut(u.Id, in.Now) {
		return nil, errLockedOut
	}
	v.User = proto.CloneOf(u)
	return v, nil
}

// credential is the application credential that m names, if it still holds.
func (s State) credential(in actors.Input, m *messages.GetLogin) (*messages.ApplicationCredential, error) {
	c, ok := s.Credentials.Get(m.CredentialId)
	if m.CredentialId == "" {
		u, err := s.user(m.User)
		if err != nil {
			return nil, err
		}
		for _, other := range s.Credentials.All() {
			if other.UserId == u.Id && other.Name == m.CredentialName {
				c, ok = other, true
			}
		}
	}
	if !ok || (c.ExpiresAt != 0 && c.ExpiresAt <= in.Now.UnixNano()) {
		return nil, absent("application credential", m.CredentialId)
	}
	return c, nil
}

// user is the enabled user that r names, in an enabled domain.
func (s State) user(r *messages.UserRef) (*messages.User, error) {
	id := r.GetId()
	if id == "" {
		domain := s.domainID(r.GetDomainId(), r.GetDomainName())
		id, _ = s.named(ofUser, domain, r.GetName())
	}
	u, ok := s.Users.Get(id)
	if !ok || !u.Enabled || !s.open(u.DomainId) {
		return nil, absent("user", r.GetId()+r.GetName())
	}
	return u, nil
}

// domainID is the id of a domain given by id or by name.
func (s State) domainID(id, name string) string {
	if id == "" {
		id, _ = s.named(ofDomain, "", name)
	}
	return id
}

// open says whether a domain exists and is enabled.
func (s State) open(domain string) bool {
	d, ok := s.Domains.Get(domain)
	return ok && d.Enabled
}
