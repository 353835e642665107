package images

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/drivers/blobs"
	"github.com/troupe-cloud/troupe/messages"
)

// TestOnlyMembersAreServed: every method asks the authority.
func TestOnlyMembersAreServed(t *testing.T) {
	w := newWorld(t, 2, quick())
	b, _ := content(piece)
	sum := w.place("n0", b, true)
	asker, to := w.nodes["n1"], w.nodes["n0"].member
	w.nodes["n0"].cfg.Authorize = func(context.Context) error { return messages.Denied }
	about := &messages.AskBlob{From: "n1", Sha256: sum}
	for method, in := range map[string]proto.Message{
		methodHave: &messages.AskBlobs{Sha256: []string{sum}}, methodSums: about, methodDiscard: about,
		methodDoubt: about, methodRelease: &messages.ReleaseBlob{Sha256: sum},
	} {
		if err := asker.call(t.Context(), to, method, in, &messages.Done{}); !errors.Is(err, messages.Denied) {
			t.Errorf("%s: %v", method, err)
		}
	}
	for method, in := range map[string]proto.Message{
		methodFetch: &messages.FetchBlob{Sha256: sum, Length: 1}, methodKeep: &messages.KeepBlob{Sha256: sum},
	} {
		if err := asker.first(t.Context(), to, method, in); !errors.Is(err, messages.Denied) {
			t.Errorf("%s: %v", method, err)
		}
	}
}

// first is what a stream answers first.
func (n *node) first(ctx context.Context, to view.Member, method string, in proto.Message) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	next, err := stream(ctx, n.Images, to, method, in, func() *messages.BlobChunk { return &messages.BlobChunk{} })
	if err == nil {
		_, err = next()
	}
	return err
}

func TestBadQuestions(t *testing.T) {
	w := newWorld(t, 2, quick())
	b, _ := content(piece)
	sum := w.place("n0", b, true)
	_, none := content(1)
	asker, to := w.nodes["n1"], w.nodes["n0"].member
	many := &messages.AskBlobs{Sha256: make([]string, maxBatch+1)}
	if err := asker.call(t.Context(), to, methodHave, many, &messages.BlobsHeld{}); !errors.Is(err, messages.Invalid) {
		t.Errorf("too many: %v", err)
	}
	for name, tt := range map[string]struct {
		in   *messages.FetchBlob
		want error
	}{
		"a path":            {&messages.FetchBlob{Sha256: "../../etc/passwd", Length: 1}, messages.Invalid},
		"upper case":        {&messages.FetchBlob{Sha256: strings.ToUpper(sum), Length: 1}, messages.Invalid},
		"nothing":           {&messages.FetchBlob{Sha256: sum}, messages.Invalid},
		"before the start":  {&messages.FetchBlob{Sha256: sum, Offset: -1, Length: 1}, messages.Invalid},
		"beyond the end":    {&messages.FetchBlob{Sha256: sum, Offset: piece, Length: 1}, messages.Invalid},
		"too much":          {&messages.FetchBlob{Sha256: sum, Offset: 1, Length: piece}, messages.Invalid},
		"more than counted": {&messages.FetchBlob{Sha256: sum, Offset: 1, Length: 1<<63 - 1}, messages.Invalid},
		"not there":         {&messages.FetchBlob{Sha256: none, Length: 1}, messages.NotFound},
		"all of it":         {&messages.FetchBlob{Sha256: sum, Length: piece}, nil},
	} {
		if err := asker.first(t.Context(), to, methodFetch, tt.in); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

func TestSeekersAreBounded(t *testing.T) {
	var s seekers
	_, sum := content(1)
	for n := range maxSeekers + 10 {
		s.add(sum, string(rune('a'+n)))
		s.gave(sum, 0, string(rune('a'+n)))
	}
	if n := len(s.of[sum].names); n != maxSeekers {
		t.Errorf("%d are remembered", n)
	}
	if n := len(s.given(sum, 0, "a")); n != giveFreely {
		t.Errorf("%d were given it", n)
	}
	if n := len(s.others(sum, "a")); n != maxOthers {
		t.Errorf("%d are named", n)
	}
	for range maxSeekings + 10 {
		_, sum := content(1)
		s.add(sum, "a")
	}
	if n := len(s.of); n > maxSeekings {
		t.Errorf("%d contents are remembered", n)
	}
}

// FuzzAnswers: whatever another node says of what it has, nothing breaks.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte{0xff, 1}, 12, int64(40), int64(16), bytes.Repeat([]byte{1}, 96))
	f.Add([]byte(nil), 0, int64(-1), int64(0), []byte{1})
	f.Fuzz(func(t *testing.T, bits []byte, pieces int, size, pieceBytes int64, joined []byte) {
		if pieces >= 0 && pieces <= blobs.MaxPieces {
			have := unpackBits(bits, pieces)
			if back := unpackBits(packBits(have), pieces); len(back) != pieces {
				t.Errorf("%d bits became %d", pieces, len(back))
			}
			s := &source{pieces: bits}
			for n := range have {
				if s.has(n) != have[n] {
					t.Errorf("piece %d: %v and %v", n, s.has(n), have[n])
				}
			}
			_ = s.helps(have)
		}
		sums, err := blobs.JoinedSums(size, pieceBytes, joined)
		if err != nil {
			return
		}
		end := int64(0)
		for n := range sums.Pieces {
			offset, length := sums.Bounds(n)
			if offset != end || length <= 0 {
				t.Fatalf("piece %d is %d bytes at %d", n, length, offset)
			}
			end = offset + length
		}
		if end != size {
			t.Errorf("the pieces have %d bytes of %d", end, size)
		}
	})
}

// FuzzMarker: what hands may have written into a shared folder.
func FuzzMarker(f *testing.F) {
	f.Add([]byte(`{"cluster":"c","folder":"f"}`))
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"cluster":1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := parseMarker(raw)
		if err == nil && (m.Cluster == "" || m.Folder == "") || err != nil && !errors.Is(err, messages.Invalid) {
			t.Errorf("%+v, %v", m, err)
		}
	})
}
