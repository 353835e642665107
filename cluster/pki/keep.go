package pki

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// Keeping a certificate fresh.
const (
	// reloadEvery is how often the files are looked at.
	reloadEvery = 10 * time.Second
	// A renewal that failed is tried again after a twentieth of the life that
	// is left, within these bounds.
	minRetry, maxRetry = 15 * time.Second, time.Hour
	renewTimeout       = 30 * time.Second
)

// Renewer gets a certificate of the same identity for the key of a signing
// request: from the authority itself, or from a node that has it.
type Renewer func(ctx context.Context, csr []byte) (*messages.IssuedCertificate, error)

// Keep replaces the certificate when its files change and renews it after two
// thirds of its life, until ctx ends. The renewers are asked in turn.
func (s *Source) Keep(ctx context.Context, renewers ...Renewer) {
	every := maxRetry
	if s.files != (Files{}) {
		every = reloadEvery
	}
	seen := s.stamps()
	var next time.Time // of another try
	for {
		now := s.now()
		if due := s.held.Load().renewAt(); len(renewers) > 0 && !now.Before(due) && !now.Before(next) {
			if err := s.renewAny(ctx, renewers); err != nil && ctx.Err() == nil {
				next = now.Add(s.failed(err, now))
			}
			seen = s.stamps()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
		if stamps := s.stamps(); stamps != seen {
			seen = stamps
			if err := s.Reload(); err != nil {
				s.log.Warn().Err(err).Msg("changed certificate not taken")
			}
		}
	}
}

// failed logs that err kept the certificate from being renewed, and says when to
// try again.
func (s *Source) failed(err error, now time.Time) time.Duration {
	left := s.held.Load().leaf.NotAfter.Sub(now)
	line := s.log.Warn()
	if left < maxRetry*24 {
		line = s.log.Error()
	}
	line.Err(err).Dur("left", left).Msg("certificate not renewed")
	return min(max(left/20, minRetry), maxRetry)
}

// stamps says in a comparable form when each file was written.
func (s *Source) stamps() (all [3]time.Time) {
	if s.files == (Files{}) {
		return all
	}
	for i, path := range []string{s.files.CA, s.files.Cert, s.files.Key} {
		if info, err := os.Stat(path); err == nil {
			all[i] = info.ModTime()
		}
	}
	return all
}

func (s *Source) renewAny(ctx context.Context, renewers []Renewer) error {
	var all []error
	for _, r := range renewers {
		err := s.Renew(ctx, r)
		if err == nil {
			return nil
		}
		all = append(all, err)
	}
	return errors.Join(all...)
}

// Renew gets another certificate, for a new key, and puts it in force. The files
// are written first.
func (s *Source) Renew(ctx context.Context, renewer Renewer) error {
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	key := newKey()
	csr, err := newRequest(key)
	if err != nil {
		return err
	}
	issued, err := renewer(ctx, csr)
	if err != nil {
		return fmt.Errorf("renew the certificate: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.held.Load()
	keyPEM, err := encodeKeys(key)
	if err != nil {
		return err
	}
	// The authority stays: nobody but the owner of the files may change it.
	b, err := newBundle(PEM{CA: before.pem.CA, Cert: encodeCerts(issued.GetCertificate()), Key: keyPEM})
	if err != nil {
		return fmt.Errorf("the renewed certificate: %w", err)
	}
	if err := sameAs(before, b, s.now()); err != nil {
		return err
	}
	if s.files != (Files{}) {
		if err := b.write(s.files, before); err != nil {
			return err
		}
	}
	s.replace(b)
	return nil
}

// sameAs refuses a certificate of somebody else, or one that is no better.
func sameAs(before, b *bundle, now time.Time) error {
	if b.self.url().String() != before.self.url().String() {
		return refuse(ErrName, "asked for a certificate of %v, got one of %v", before.self, b.self)
	}
	if bytes.Equal(before.leaf.Raw, b.leaf.Raw) {
		return fmt.Errorf("the renewed certificate is the old one: %w", messages.Invalid)
	}
	return checkTimes(b.self, b.leaf, now)
}
