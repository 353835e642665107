package lab

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"
)

// TestCut sends datagrams from one machine to another: they arrive, stop
// arriving in the direction that was cut, and arrive again once it is healed.
func TestCut(t *testing.T) {
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	a, b := add(t, l, "a"), add(t, l, "b")
	inA, inB := listen(t, a), listen(t, b)
	check := func(what string, toB, toA bool) {
		t.Helper()
		if got := arrives(inA, inB, toB); got != toB {
			t.Errorf("%s: a -> b arrives: %t", what, got)
		}
		if got := arrives(inB, inA, toA); got != toA {
			t.Errorf("%s: b -> a arrives: %t", what, got)
		}
	}
	check("at first", true, true)
	must(t, l.CutOneWay(a, b))
	check("cut one way", false, true)
	must(t, l.Cut(a, b))
	check("cut", false, false)
	must(t, l.Heal())
	check("healed", true, true)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := a.Dial(ctx, "tcp", "192.0.2.1:80"); err == nil {
		t.Error("there is a way out of the lab")
	}
}

// arrives sends from one machine to another until something is there, for as long as
// that should be; what should not is not waited for long.
func arrives(from, at net.PacketConn, should bool) bool {
	tries := 1
	if should {
		tries = 150 // half a minute on a busy machine
	}
	letters++
	letter, in := fmt.Sprint(letters), make([]byte, 20)
	for range tries {
		_, _ = from.WriteTo([]byte(letter), at.LocalAddr())
		_ = at.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		for {
			n, _, err := at.ReadFrom(in)
			if err != nil {
				break
			}
			if string(in[:n]) == letter { // and no late one of before
				return true
			}
		}
	}
	return false
}

var letters int // that were sent

func add(t *testing.T, l *Lab, name string) *Host {
	t.Helper()
	h, err := l.Add(name)
	must(t, err)
	return h
}

func listen(t *testing.T, h *Host) (c net.PacketConn) {
	t.Helper()
	must(t, h.inside(func() (err error) {
		c, err = net.ListenPacket("udp", h.IP+":0")
		return err
	}))
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
