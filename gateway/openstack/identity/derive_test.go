package identity

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

func TestDerive(t *testing.T) {
	ctx, dir, now := context.Background(), t.TempDir(), time.Now()
	k, err := OpenKeys(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	id, secret, err := k.Derive(ctx, "one")
	if err != nil || len(secret) != derivedBytes || bytes.Equal(secret, k.keys[0].Secret) {
		t.Fatalf("%x, %v", secret, err)
	}
	if err := k.Rotate(ctx, now); err != nil {
		t.Fatal(err)
	}
	other, err := OpenKeys(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := other.Derived(ctx, id, "one"); err != nil || !bytes.Equal(again, secret) {
		t.Errorf("another gateway, after a rotation, derives %x, %v", again, err)
	}
	if two, err := other.Derived(ctx, id, "two"); err != nil || bytes.Equal(two, secret) {
		t.Errorf("another purpose has the same key, or none: %v", err)
	}
	if _, err := other.Derived(ctx, "00000000", "one"); !errors.Is(err, messages.Denied) {
		t.Errorf("an unknown key: %v", err)
	}
}
