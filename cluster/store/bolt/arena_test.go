package bolt

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// TestArena: values of all sizes stand beside each other, in blocks that were used before.
func TestArena(t *testing.T) {
	for round := range 3 {
		var a arena
		var got, want [][]byte
		for i, size := range []int{0, 1, blockBytes / 4, blockBytes/4 - revisionSize, blockBytes, 100, blockBytes / 5, blockBytes / 5, blockBytes / 5, blockBytes / 5, 7} {
			value := bytes.Repeat([]byte{byte(16*round + i)}, size)
			got = append(got, a.encode(uint64(i), value))
			want = append(want, append(binary.BigEndian.AppendUint64(nil, uint64(i)), value...))
		}
		for i := range want {
			if !bytes.Equal(got[i], want[i]) || cap(got[i]) != len(got[i]) {
				t.Errorf("round %d: value %d is another, or has room for more", round, i)
			}
		}
		if len(a.blocks) < 2 {
			t.Errorf("round %d: %d blocks", round, len(a.blocks))
		}
		a.release()
	}
}
