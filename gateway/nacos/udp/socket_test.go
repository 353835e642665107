package udp

import (
	"encoding/json"
	"net"
	"strconv"
	"testing"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/gateway/registry"
)

// TestSocket pushes over real sockets, also from one that listens on every address,
// where a client over IPv4 has an address of IPv6.
func TestSocket(t *testing.T) {
	for _, ip := range []string{"127.0.0.1", "0.0.0.0", "::"} {
		t.Run(ip, func(t *testing.T) {
			conn, err := Listen(ip)
			if err != nil {
				t.Skipf("no socket there: %v", err)
			}
			client, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			feeds := registry.NewFeeds(newCloud())
			defer feeds.Close()
			push := New(feeds, conn, zerolog.Nop())

			n := poll
			n.Peer, n.Port = "127.0.0.1", client.LocalAddr().(*net.UDPAddr).Port
			push.Listen(n)
			packet := make([]byte, maxPacket)
			size, from, err := client.ReadFromUDP(packet)
			if err != nil {
				t.Fatal(err)
			}
			var p struct {
				Stamp int64 `json:"lastRefTime"`
			}
			if err := json.Unmarshal(packet[:size], &p); err != nil {
				t.Fatal(err)
			}
			ack := []byte(`{"type":"push-ack","lastRefTime":"` + strconv.FormatInt(p.Stamp, 10) + `","data":""}`)
			for push.Stats().Acked == 0 { // it is on its way
				if _, err := client.WriteToUDP(ack, from); err != nil {
					t.Fatal(err)
				}
			}
			if err := push.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := Listen("a b"); err == nil {
		t.Error("it listens nowhere")
	}
}
