package imageformat

import (
	"errors"
	"fmt"
	"io"

	"github.com/troupe-cloud/troupe/messages"
)

// window reads pieces of an image and nothing beyond: every offset comes from
// the image itself and is compared with the file's size first.
type window struct {
	r    io.ReaderAt
	size int64
	left int64 // bytes that may still be read
}

// at is the n bytes at off. What lies outside the file, or more than an
// inspection may read, is Invalid.
func (w *window) at(what string, off uint64, n int64) ([]byte, error) {
	if n < 0 || !w.holds(off, uint64(n)) {
		return nil, fmt.Errorf("the image is cut off or corrupt: its %s lies outside the file: %w", what, messages.Invalid)
	}
	if n > w.left {
		return nil, fmt.Errorf("the image's %s is too large to be inspected: %w", what, messages.Invalid)
	}
	w.left -= n
	b := make([]byte, n)
	if got, err := w.r.ReadAt(b, int64(off)); got < len(b) {
		if err == nil || errors.Is(err, io.EOF) {
			err = fmt.Errorf("the image ended while it was read: %w", messages.Invalid)
		}
		return nil, err
	}
	return b, nil
}

// prefix is the first n bytes, or all if there are fewer.
func (w *window) prefix(n int64) ([]byte, error) {
	return w.at("beginning", 0, min(n, w.size))
}

// holds says whether n bytes at off lie inside the file.
func (w *window) holds(off, n uint64) bool {
	size := uint64(w.size)
	return off <= size && n <= size-off
}
