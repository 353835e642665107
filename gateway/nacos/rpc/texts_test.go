package rpc

import (
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

func TestTexts(t *testing.T) {
	var kept texts
	long := strings.Repeat("x", 2*maxTextBytes)
	for i := range 5 * keptTexts {
		for _, want := range []string{"", "token", long, strconv.Itoa(i)} {
			if got := kept.of([]byte(want)); got != want {
				t.Fatalf("got %q for %q", got, want)
			}
		}
	}
	b := []byte("token")
	if one, other := kept.of(b), kept.of(b); unsafe.StringData(one) != unsafe.StringData(other) {
		t.Error("a text that is kept is copied")
	}
}
