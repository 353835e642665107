package blobs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// small is how long the pieces of the tests are.
const small = 8

// sumsOf are those of b, as another store would make them.
func sumsOf(t *testing.T, b []byte) (*Sums, string) {
	t.Helper()
	s := open(t)
	s.SmallestPiece(small)
	info, err := s.Put(t.Context(), bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	sums, err := s.Sums(t.Context(), info.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return sums, info.SHA256
}

// write gives p its piece i of b.
func write(p *Partial, i int, b []byte) error {
	at, n := p.Sums().Bounds(i)
	w := p.Piece(i)
	if _, err := w.Write(b[at : at+n]); err != nil {
		return err
	}
	return w.End()
}

func TestPartial(t *testing.T) {
	b := []byte("twenty-one bytes here")
	sums, name := sumsOf(t, b)
	s, ctx := open(t), t.Context()
	p, err := s.Begin(name, sums)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.Begin(name, sums); again != p || err != nil {
		t.Errorf("a second part of the same: %v, %v", again, err)
	}
	if err := write(p, 1, append([]byte(nil), bytes.ToUpper(b)...)); !errors.Is(err, ErrPiece) {
		t.Errorf("a wrong piece: %v", err)
	}
	if _, err := p.Piece(2).Write(b); !errors.Is(err, messages.Invalid) {
		t.Errorf("a piece that is too long: %v", err)
	}
	for _, i := range []int{2, 0} {
		if err := write(p, i, b); err != nil {
			t.Fatal(err)
		}
	}
	got := make([]byte, small)
	if _, err := p.ReadPiece(got, 0); err != nil || string(got) != "twenty-o" {
		t.Errorf("read %q, %v", got, err)
	}
	if _, err := p.ReadPiece(got, 4); !errors.Is(err, messages.NotFound) {
		t.Errorf("read of what is missing: %v", err)
	}
	if _, err := p.Finish(ctx); !errors.Is(err, messages.Conflict) {
		t.Errorf("finished although a piece is missing: %v", err)
	}
	if _, err := s.Path(ctx, name); !errors.Is(err, messages.NotFound) {
		t.Errorf("a part counts as a content: %v", err)
	}
	if err := write(p, 1, b); err != nil {
		t.Fatal(err)
	}
	release, err := p.Finish(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, name); !errors.Is(err, messages.Conflict) {
		t.Errorf("deleted while held: %v", err)
	}
	if err := release(ctx); err != nil {
		t.Error(err)
	}
	p.Drop()
	if path, err := s.Path(ctx, name); err != nil {
		t.Error(err)
	} else if whole, err := os.ReadFile(path); err != nil || !bytes.Equal(whole, b) {
		t.Errorf("stored %q, %v", whole, err)
	}
}

// TestWrongSums: every piece is right and the whole is not; nothing is stored.
func TestWrongSums(t *testing.T) {
	b := []byte("twenty-one bytes here")
	sums, _ := sumsOf(t, b)
	s := open(t)
	name := strings.Repeat("0", 64)
	p, err := s.Begin(name, sums)
	if err != nil {
		t.Fatal(err)
	}
	for i := range sums.Pieces {
		if err := write(p, i, b); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Finish(t.Context()); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v", err)
	}
	if left := files(t, s); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

func TestVerify(t *testing.T) {
	s, ctx := open(t), t.Context()
	if _, err := s.Put(ctx, strings.NewReader(hello), 5); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(ctx, helloSHA256); err != nil {
		t.Errorf("a sound content: %v", err)
	}
	path := filepath.Join(s.dir, helloSHA256)
	if err := errors.Join(os.Remove(path), os.WriteFile(path, []byte("jello"), blobMode)); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(ctx, helloSHA256); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a damaged content: %v", err)
	}
	if _, err := s.Path(ctx, helloSHA256); !errors.Is(err, messages.NotFound) {
		t.Errorf("it is still served: %v", err)
	}
	if left := files(t, s); len(left) != 1 || left[0] != corruptPrefix+helloSHA256 {
		t.Errorf("left %v", left)
	}
	if _, err := s.Put(ctx, strings.NewReader(hello), 5); err != nil {
		t.Errorf("it cannot be stored again: %v", err)
	}
}

func TestEvict(t *testing.T) {
	s, ctx := open(t), t.Context()
	if _, err := s.Put(ctx, strings.NewReader(hello), 5); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	yes, no := func() bool { return true }, func() bool { return false }
	release, err := s.Hold(ctx, helloSHA256)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		unused time.Time
		still  func() bool
	}{"held": {now.Add(time.Hour), yes}, "used": {now.Add(-time.Hour), yes}, "not any more": {now.Add(time.Hour), no}} {
		if gone, err := s.Evict(helloSHA256, tt.unused, tt.still); gone || err != nil {
			t.Errorf("%s: %v, %v", name, gone, err)
		}
		if name == "held" {
			if err := release(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if gone, err := s.Evict(helloSHA256, time.Now().Add(time.Hour), yes); !gone || err != nil {
		t.Errorf("%v, %v", gone, err)
	}
	if left := files(t, s); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

// TestHoldWhileAsking: a hold that begins while a discard asks keeps the content.
func TestHoldWhileAsking(t *testing.T) {
	s, ctx := open(t), t.Context()
	if _, err := s.Put(ctx, strings.NewReader(hello), 5); err != nil {
		t.Fatal(err)
	}
	var release func(context.Context) error
	asked := 0
	hold := func(context.Context, string) (bool, error) {
		var err error
		if asked++; asked == 1 {
			release, err = s.Hold(ctx, helloSHA256)
		}
		return asked > 2, err // by then it was announced, by whoever held it
	}
	if err := s.Discard(ctx, helloSHA256, hold); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Has(helloSHA256); !ok {
		t.Fatal("it was discarded under the hold")
	}
	asked = 2
	if err := release(ctx); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Has(helloSHA256); !ok || asked != 3 {
		t.Errorf("there: %v, asked %d times", ok, asked)
	}
}

// TestHeldAndReleasedWhileAsking: the answer is too old, so it is asked again.
func TestHeldAndReleasedWhileAsking(t *testing.T) {
	s, ctx := open(t), t.Context()
	if _, err := s.Put(ctx, strings.NewReader(hello), 5); err != nil {
		t.Fatal(err)
	}
	asked := 0
	announced := func(context.Context, string) (bool, error) {
		if asked++; asked > 1 {
			return true, nil
		}
		release, err := s.Hold(ctx, helloSHA256)
		if err == nil {
			err = release(ctx)
		}
		return false, err
	}
	if err := s.Discard(ctx, helloSHA256, announced); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Has(helloSHA256); !ok || asked != 2 {
		t.Errorf("there: %v, asked %d times", ok, asked)
	}
}

func TestPieceBytes(t *testing.T) {
	for size, want := range map[int64]int64{
		0: MinPieceBytes, 1: MinPieceBytes, MinPieceBytes * MaxPieces: MinPieceBytes,
		MinPieceBytes*MaxPieces + 1: 2 * MinPieceBytes, 1 << 40: 64 << 20,
	} {
		if got := pieceBytes(size, MinPieceBytes); got != want {
			t.Errorf("%d bytes: pieces of %d, want %d", size, got, want)
		}
	}
}

// FuzzSums reads files of sums that a disk or a hand has damaged.
func FuzzSums(f *testing.F) {
	w := newSummer(small)
	_, _ = w.Write([]byte("twenty-one bytes here"))
	sums, _ := w.done()
	f.Add(sums.encode())
	f.Add([]byte(sumsMagic))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, in := range [][]byte{raw, signed(raw)} {
			s, err := decodeSums(in)
			if err != nil {
				if !errors.Is(err, messages.Invalid) {
					t.Error(err)
				}
				continue
			}
			if err := s.Check(); err != nil || !bytes.Equal(s.encode(), in) {
				t.Errorf("%v: reads %x, writes %x", err, in, s.encode())
			}
		}
	})
}

// signed gives raw a sound sum of its own, so that what is before it is read.
func signed(raw []byte) []byte {
	own := sha256.Sum256(raw)
	return append(append([]byte(nil), raw...), own[:]...)
}

func TestSumsOutliveTheProcess(t *testing.T) {
	s, ctx := open(t), t.Context()
	s.SmallestPiece(small)
	b := bytes.Repeat([]byte("0123456789"), 10)
	info, err := s.Put(ctx, bytes.NewReader(b), 100)
	if err != nil {
		t.Fatal(err)
	}
	made, err := s.Sums(ctx, info.SHA256)
	if err != nil || len(made.Pieces) != 13 || made.Size != 100 {
		t.Fatalf("%+v, %v", made, err)
	}
	if sum := sha256.Sum256(b[96:]); hex.EncodeToString(made.Pieces[12][:]) != hex.EncodeToString(sum[:]) {
		t.Error("the last piece's sum is wrong")
	}
	again, err := Open(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	if read, err := again.Sums(ctx, info.SHA256); err != nil || len(read.Pieces) != 13 {
		t.Errorf("%+v, %v", read, err)
	}
}
