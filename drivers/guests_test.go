package drivers_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

// byAddress answers for the guests that it has, with an error of each.
type byAddress map[string]error

func (g byAddress) DialGuest(_ context.Context, to netip.AddrPort) (net.Conn, error) {
	if err, ok := g[to.String()]; ok {
		return nil, err
	}
	return nil, fmt.Errorf("no guest has %v: %w", to, messages.NotFound)
}

func TestGuestsFirst(t *testing.T) {
	refused, outside := errors.New("refused"), errors.New("dialed from outside")
	other := func(context.Context, string, string) (net.Conn, error) { return nil, outside }
	guests := byAddress{"10.0.0.2:80": refused}
	for name, c := range map[string]struct {
		guests  drivers.GuestDialer
		address string
		want    error
	}{
		"a guest":                         {guests, "10.0.0.2:80", refused},
		"a guest, written as IPv6":        {guests, "[::ffff:10.0.0.2]:80", refused},
		"somebody else":                   {guests, "10.0.0.3:80", outside},
		"a name":                          {guests, "guest:80", outside},
		"no hypervisor on this node":      {nil, "10.0.0.2:80", outside},
		"what is no address is passed on": {guests, "", outside},
	} {
		if _, err := drivers.GuestsFirst(c.guests, time.Minute, other)(t.Context(), "tcp", c.address); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
