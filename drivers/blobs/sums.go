package blobs

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/troupe-cloud/troupe/messages"
)

// A content is sent and checked in pieces. A piece is the least that is asked of
// a peer, so it is large against the cost of a call; there are at most MaxPieces,
// so that their sums (512 KiB) fit one message.
const (
	MinPieceBytes = 4 << 20
	MaxPieces     = 1 << 14
	maxPieceBytes = 1 << 40
)

const sumsMagic = "troupe-sums-1\n"

// Sums are what a content's pieces have to be: each piece has PieceBytes bytes,
// the last one what is left. They are derived from the content, so that a piece
// can be checked before the whole is there.
type Sums struct {
	Size, PieceBytes int64
	Pieces           [][sha256.Size]byte
}

// pieceBytes is how long the pieces of a content of size bytes are: least, doubled
// as often as need be.
func pieceBytes(size, least int64) int64 {
	n := least
	for (size+n-1)/n > MaxPieces {
		n *= 2
	}
	return n
}

// Bounds is where piece i begins and how long it is.
func (s *Sums) Bounds(i int) (offset, length int64) {
	offset = int64(i) * s.PieceBytes
	return offset, min(s.PieceBytes, s.Size-offset)
}

// Check reports whether these sums can be those of a content at all.
func (s *Sums) Check() error {
	if s.Size < 0 || s.PieceBytes <= 0 || s.PieceBytes > maxPieceBytes || s.Size > MaxPieces*s.PieceBytes ||
		int64(len(s.Pieces)) != (s.Size+s.PieceBytes-1)/s.PieceBytes {
		return fmt.Errorf("%d sums for %d bytes in pieces of %d: %w", len(s.Pieces), s.Size, s.PieceBytes, messages.Invalid)
	}
	return nil
}

// Joined is all sums, one after the other, for the wire.
func (s *Sums) Joined() []byte {
	out := make([]byte, 0, len(s.Pieces)*sha256.Size)
	for i := range s.Pieces {
		out = append(out, s.Pieces[i][:]...)
	}
	return out
}

// JoinedSums undoes Joined. Invalid unless the sums fit the size.
func JoinedSums(size, pieceBytes int64, joined []byte) (*Sums, error) {
	if len(joined)%sha256.Size != 0 || len(joined) > MaxPieces*sha256.Size {
		return nil, fmt.Errorf("%d bytes of sums: %w", len(joined), messages.Invalid)
	}
	s := &Sums{Size: size, PieceBytes: pieceBytes, Pieces: make([][sha256.Size]byte, len(joined)/sha256.Size)}
	for i := range s.Pieces {
		s.Pieces[i] = [sha256.Size]byte(joined[i*sha256.Size:])
	}
	return s, s.Check()
}

// encode is the form of the file beside a content. It ends with a sum of its own.
func (s *Sums) encode() []byte {
	out := []byte(sumsMagic)
	out = binary.BigEndian.AppendUint64(out, uint64(s.Size))
	out = binary.BigEndian.AppendUint64(out, uint64(s.PieceBytes))
	out = append(out, s.Joined()...)
	own := sha256.Sum256(out)
	return append(out, own[:]...)
}

// maxSumsBytes is the longest file of sums.
const maxSumsBytes = len(sumsMagic) + 16 + (MaxPieces+1)*sha256.Size

// decodeSums reads encode's form. Whatever is damaged is Invalid, and is made again.
func decodeSums(raw []byte) (*Sums, error) {
	const head = len(sumsMagic) + 16
	bad := fmt.Errorf("a damaged file of sums: %w", messages.Invalid)
	if len(raw) < head+sha256.Size || len(raw) > maxSumsBytes || string(raw[:len(sumsMagic)]) != sumsMagic {
		return nil, bad
	}
	body, own := raw[:len(raw)-sha256.Size], raw[len(raw)-sha256.Size:]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], own) {
		return nil, bad
	}
	size := binary.BigEndian.Uint64(body[len(sumsMagic):])
	piece := binary.BigEndian.Uint64(body[len(sumsMagic)+8:])
	return JoinedSums(int64(size), int64(piece), body[head:])
}

// summer makes the sums of what is written to it, of the pieces and of the whole.
type summer struct {
	sums  *Sums
	whole hashing
	piece hashing
	in    int64 // bytes of the piece
}

type hashing interface {
	Write([]byte) (int, error)
	Sum([]byte) []byte
	Reset()
}

func newSummer(pieceBytes int64) *summer {
	return &summer{sums: &Sums{PieceBytes: pieceBytes}, whole: sha256.New(), piece: sha256.New()}
}

func (w *summer) Write(p []byte) (int, error) {
	n := len(p)
	w.whole.Write(p)
	for len(p) > 0 {
		part := p[:min(int64(len(p)), w.sums.PieceBytes-w.in)]
		w.piece.Write(part)
		w.in += int64(len(part))
		p = p[len(part):]
		if w.in == w.sums.PieceBytes {
			w.end()
		}
	}
	w.sums.Size += int64(n)
	return n, nil
}

func (w *summer) end() {
	w.sums.Pieces = append(w.sums.Pieces, [sha256.Size]byte(w.piece.Sum(nil)))
	w.piece.Reset()
	w.in = 0
}

// done ends the last piece; whole is the SHA-256 of everything in hex.
func (w *summer) done() (sums *Sums, whole string) {
	if w.in > 0 {
		w.end()
	}
	return w.sums, hex.EncodeToString(w.whole.Sum(nil))
}
