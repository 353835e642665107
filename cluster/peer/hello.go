package peer

import (
	"context"
	"fmt"
	"time"

	"github.com/troupe-cloud/troupe/cluster/pki"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// refusal is why two ends do not accept each other.
type refusal struct {
	reason  messages.GoAway_Reason
	message string
}

func refuse(reason messages.GoAway_Reason, format string, args ...any) *refusal {
	return &refusal{reason, fmt.Sprintf(format, args...)}
}

// kinds of refusal, as the end that dialled sees them.
var refusals = map[messages.GoAway_Reason]error{
	messages.GoAway_REASON_STOPPING: ErrUnreachable,
	messages.GoAway_REASON_LIMIT:    ErrUnreachable,
	messages.GoAway_REASON_NOT_ME:   ErrNotMe,
	messages.GoAway_REASON_VERSION:  ErrVersion,
}

func (r *refusal) Error() string { return r.message }

// Unwrap makes every refusal an ErrUnreachable: nothing was sent.
func (r *refusal) Unwrap() error {
	if err, ok := refusals[r.reason]; ok {
		return err
	}
	return ErrRejected
}

// hello is how a process presents itself.
func (c *Config) hello(self view.Member, to string) *messages.Frame {
	h := &messages.Hello{
		Cluster: c.Cluster, Role: c.Role, Name: self.Name, ToMemberId: to, Version: self.Version,
		Protocol: self.Protocol, MinProtocol: self.MinProtocol, UnixMs: time.Now().UnixMilli(),
	}
	if c.Role == RoleNode {
		h.MemberId, h.Address = self.ID, self.Address
	}
	return &messages.Frame{Body: &messages.Frame_Hello{Hello: h}}
}

// judge holds a Hello against the certificate and against what this process is.
// It was sent at some time from after on, as far as our clock knows.
func (c *Config) judge(ctx context.Context, self view.Member, h *messages.Hello, after time.Time) (Identity, *refusal) {
	who, r := c.judgeName(ctx, h)
	if r != nil {
		return Identity{}, r
	}
	if _, err := common(self, h); err != nil {
		return Identity{}, refuse(messages.GoAway_REASON_VERSION, "%v", err)
	}
	if h.GetRole() == RoleNode && c.Oldest != nil {
		if oldest := c.Oldest(); h.GetProtocol() < oldest {
			return Identity{}, refuse(messages.GoAway_REASON_VERSION, "incompatible version: %s (%s) speaks protocols up to %d, "+
				"and what this cloud stores needs %d since all its nodes spoke that", h.GetName(), h.GetVersion(), h.GetProtocol(), oldest)
		}
	}
	if skew := skewOf(time.UnixMilli(h.GetUnixMs()), after, time.Now()); skew > MaxClockSkew {
		return Identity{}, refuse(messages.GoAway_REASON_CLOCK,
			"the clocks of %s and %s differ by %v; more than %v is not accepted", self.Name, h.GetName(), skew.Round(time.Second), MaxClockSkew)
	}
	return Identity{Role: h.GetRole(), Name: h.GetName(), Member: h.GetMemberId(), Project: who.Project, Reader: who.Reader}, nil
}

func (c *Config) judgeName(ctx context.Context, h *messages.Hello) (pki.Identity, *refusal) {
	who, err := presented(ctx)
	switch {
	case err != nil:
		return who, refuse(messages.GoAway_REASON_IDENTITY, "%s", messages.Sentence(err))
	case h.GetCluster() != c.Cluster || who.Cluster != "" && who.Cluster != c.Cluster:
		return who, refuse(messages.GoAway_REASON_CLUSTER, "%s belongs to another cluster", h.GetName())
	case c.TLS != nil && who.Name == "":
		return who, refuse(messages.GoAway_REASON_IDENTITY, "%s presented no certificate", h.GetName())
	case c.TLS != nil && (who.Name != h.GetName() || who.Role != h.GetRole()):
		return who, refuse(messages.GoAway_REASON_IDENTITY,
			"the certificate is of %s %q, not of %s %q", who.Role, who.Name, h.GetRole(), h.GetName())
	case h.GetRole() == RoleNode && h.GetMemberId() == "", h.GetRole() == RoleClient && h.GetMemberId() != "",
		h.GetRole() != RoleNode && h.GetRole() != RoleClient, h.GetName() == "":
		return who, refuse(messages.GoAway_REASON_IDENTITY, "%q as member %q says not who it is", h.GetName(), h.GetMemberId())
	}
	return who, nil
}

// common is the newest protocol that both speak.
func common(self view.Member, h *messages.Hello) (uint32, error) {
	v := min(self.Protocol, h.GetProtocol())
	if v == 0 || v < self.MinProtocol || v < h.GetMinProtocol() {
		return 0, fmt.Errorf("incompatible version: %s (%s) speaks protocols %d to %d, %s (%s) %d to %d",
			self.Name, self.Version, self.MinProtocol, self.Protocol,
			h.GetName(), h.GetVersion(), h.GetMinProtocol(), h.GetProtocol())
	}
	return v, nil
}

// skewOf is how far a clock that showed said, at some time between from and to of
// ours, differs from ours at least.
func skewOf(said, from, to time.Time) time.Duration {
	switch {
	case said.Before(from):
		return from.Sub(said)
	case said.After(to):
		return said.Sub(to)
	}
	return 0
}
