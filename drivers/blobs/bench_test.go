package blobs

import (
	"io"
	"testing"
)

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// BenchmarkPut stores 64 MiB, fsync included.
func BenchmarkPut(b *testing.B) {
	s, err := Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(64 << 20)
	for b.Loop() {
		if _, err := s.Put(b.Context(), io.LimitReader(zeros{}, 64<<20), 1<<30); err != nil {
			b.Fatal(err)
		}
	}
}
