package order

import (
	"crypto/rand"
	"fmt"

	"github.com/google/uuid"

	"github.com/troupe-cloud/troupe/messages"
)

// The group and the disk configuration that every server has.
const (
	DefaultGroup      = "default"
	DefaultDiskConfig = "MANUAL"
)

// Complete gives c what every server has and the order left open.
func Complete(c *messages.CreateInstance) {
	if c.DiskConfig == "" {
		c.DiskConfig = DefaultDiskConfig
	}
	if c.AdminPassword == "" {
		c.AdminPassword = random(passwordAlphabet, passwordLength)
	}
	if c.ReservationId == "" {
		c.ReservationId = "r-" + random(reservationAlphabet, reservationLength)
	}
	c.SecurityGroups = []string{DefaultGroup}
}

// NewID is a UUID of version 7 (RFC 9562): it begins with the time, so that the
// servers of one moment stand side by side in the store. Committing many of them
// touches few pages, and the pages get full.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// Alphabets without characters that look alike.
const (
	passwordAlphabet    = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	reservationAlphabet = "0123456789abcdefghijklmnopqrstuvwxyz"
	passwordLength      = 12
	reservationLength   = 8
)

// random is n characters of alphabet, each as likely as any other.
func random(alphabet string, n int) string {
	out := make([]byte, 0, n)
	limit := byte(256 / len(alphabet) * len(alphabet)) // above it the first would be likelier
	buf := make([]byte, 2*n)
	for len(out) < n {
		if _, err := rand.Read(buf); err != nil {
			panic(fmt.Errorf("no random numbers: %w", err))
		}
		for _, b := range buf {
			if b < limit && len(out) < n {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(out)
}
