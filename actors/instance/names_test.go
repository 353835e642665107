package instance

import (
	"fmt"
	"math"
	"testing"

	"github.com/troupe-cloud/troupe/messages"
)

// TestIndexKey: keys are of one length, whatever the age, so that they sort by it.
func TestIndexKey(t *testing.T) {
	for _, at := range []int64{0, 1, 1764000000000000000, math.MaxInt64} {
		want := fmt.Sprintf("instance/p/%020d-id", math.MaxInt64-at)
		if got := IndexKey(&messages.InstanceView{ProjectId: "p", Id: "id", CreatedAt: at}); got != want {
			t.Errorf("made at %d: %s, want %s", at, got, want)
		}
	}
}
