package udp

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/gateway/registry"
)

// stampBytes is how long the stamp in front of a rendered packet is.
const stampBytes = 8

// packet is the datagram that tells l a state, and the stamp by which it will be
// acknowledged. It is made once for all who are told the same.
func (p *Pusher) packet(l *listener, state *registry.State) (packet []byte, stamp int64) {
	view := "nacos/udp/" + l.of.Clusters
	if state.Service.GetSelector().GetType() == service.SelectorLabel {
		view += "/" + l.of.Peer
	}
	b := state.Rendered(view, func() []byte {
		info := wire.ServiceInfo{
			Group: l.of.Service.Group, Name: l.of.Service.Name, Grouped: true, Clusters: l.of.Clusters, Revision: state.Revision,
		}
		info.Choose(state.Service, false, l.of.Peer)
		info.Revision = state.Revision
		now := p.now()
		return append(binary.BigEndian.AppendUint64(nil, uint64(now)), pack(info.Render(), now)...)
	})
	return b[stampBytes:], int64(binary.BigEndian.Uint64(b))
}

// now is the time in Unix nanoseconds, each only once.
func (p *Pusher) now() int64 {
	for {
		last := p.stamp.Load()
		if next := max(time.Now().UnixNano(), last+1); p.stamp.CompareAndSwap(last, next) {
			return next
		}
	}
}

// pack makes the datagram for a list of instances.
func pack(info []byte, stamp int64) []byte {
	b := append(make([]byte, 0, len(info)+len(info)/4+64), `{"type":"dom","data":`...)
	b = wire.AppendText(b, string(info))
	b = strconv.AppendInt(append(b, `,"lastRefTime":`...), stamp, 10)
	b = append(b, '}')
	if len(b) < gzipFrom {
		return b
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(b) // a buffer takes everything
	_ = w.Close()
	return packed.Bytes()
}

// parseAck reads what a client says to a datagram. Its stamp may be a number or a
// text.
func parseAck(raw []byte) (stamp int64, ok bool) {
	s := wire.Scan(raw)
	for inside := s.Object(); inside; {
		var key []byte
		if key, inside = s.Field(); !inside {
			break
		}
		switch string(key) {
		case "type":
			ok = s.Text() == "push-ack"
		case "lastRefTime":
			var err error
			if stamp, err = strconv.ParseInt(s.Text(), 10, 64); err != nil {
				return 0, false
			}
		default:
			s.Skip()
		}
	}
	return stamp, ok && s.End() == nil && stamp > 0
}

func isClosed(err error) bool { return errors.Is(err, net.ErrClosed) }
