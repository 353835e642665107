package lock

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Step decides what a message means for a lock.
func Step(s State, in actors.Input) (State, []actors.Effect, error) {
	switch m := in.Message.(type) {
	case *messages.Activated, *messages.Nudged, *messages.Woken:
		return expired(s, in.Now), nil, nil
	case *messages.AcquireLock:
		return acquire(s, in, m)
	case *messages.ReleaseLock:
		return release(s, in, m)
	case *messages.GetLock:
		return s, []actors.Effect{actors.Reply{Message: show(s, in.Now, false)}}, nil
	}
	return s, nil, fmt.Errorf("a lock cannot take %T: %w", in.Message, messages.Invalid)
}

// expired is s without an owner whose time is over.
func expired(s State, now time.Time) State {
	if !s.held(now) {
		s.Owner, s.ExpiresAt = "", 0
	}
	return s
}

// show is s as anybody may see it. A lock that is free shows the last token.
func show(s State, now time.Time, done bool) *messages.LockState {
	s = expired(s, now)
	return &messages.LockState{Done: done, Owner: s.Owner, Token: s.Token, ExpiresAt: s.ExpiresAt}
}

func acquire(s State, in actors.Input, m *messages.AcquireLock) (State, []actors.Effect, error) {
	ns, key, ok := Parse(in.ID)
	if !ok {
		return s, nil, fmt.Errorf("%.80q is no lock: %w", in.ID, messages.Invalid)
	}
	if err := CheckKey(ns, key); err != nil {
		return s, nil, err
	}
	if m.Owner == "" || len(m.Owner) > MaxOwnerBytes || !utf8.ValidString(m.Owner) {
		return s, nil, fmt.Errorf("the owner of a lock has 1 to %d bytes of UTF-8: %w", MaxOwnerBytes, messages.Invalid)
	}
	if m.TtlMs < MinTTL.Milliseconds() || m.TtlMs > MaxTTL.Milliseconds() {
		return s, nil, fmt.Errorf("a lock is held for %v to %v: %w", MinTTL, MaxTTL, messages.Invalid)
	}
	held := s.held(in.Now)
	if held && (!m.Renew || s.Owner != m.Owner) {
		return s, []actors.Effect{actors.Reply{Message: show(s, in.Now, false)}}, nil
	}
	if !held {
		s.Token++
	}
	s.Owner, s.ExpiresAt = m.Owner, in.Now.UnixNano()+m.TtlMs*int64(time.Millisecond)
	return s, []actors.Effect{actors.Reply{Message: show(s, in.Now, true)}}, nil
}

func release(s State, in actors.Input, m *messages.ReleaseLock) (State, []actors.Effect, error) {
	s = expired(s, in.Now)
	if s.Owner == "" || m.Owner != "" && m.Owner != s.Owner || m.Token != 0 && m.Token != s.Token {
		return s, []actors.Effect{actors.Reply{Message: show(s, in.Now, false)}}, nil
	}
	s.Owner, s.ExpiresAt = "", 0
	return s, []actors.Effect{actors.Reply{Message: show(s, in.Now, true)}}, nil
}
