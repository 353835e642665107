package peer

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/troupe-cloud/troupe/cluster/pki"
	"github.com/troupe-cloud/troupe/cluster/view"
)

// Conn is a connection of its own for other services, so that bulk does not stand
// in the way of calls. It belongs to the Dialer, is shared by all who ask for the
// same member, and is closed with it or by Retain.
func (d *Dialer) Conn(to view.Member) (*grpc.ClientConn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, ErrStopped
	}
	if c := d.conns[keyOf(to)]; c != nil {
		return c, nil
	}
	c, err := d.client(to, &traffic{}, &atomic.Pointer[error]{})
	if err == nil {
		d.conns[keyOf(to)] = c
	}
	return c, err
}

// client makes a connection, which dials when it is used. What goes wrong below
// gRPC, where its errors keep only the text, is left in cause.
func (d *Dialer) client(to view.Member, count *traffic, cause *atomic.Pointer[error]) (*grpc.ClientConn, error) {
	note := func(err error) error {
		if err != nil {
			cause.Store(&err)
		}
		return err
	}
	dial := func(ctx context.Context, address string) (net.Conn, error) {
		c, err := d.c.Dial(ctx, address)
		if err == nil && d.c.TLS == nil {
			if err = loopback(c.RemoteAddr()); err != nil {
				_ = c.Close()
			}
		}
		if err != nil {
			return nil, note(err)
		}
		return &meter{Conn: c, count: count}, nil
	}
	creds := insecure.NewCredentials()
	if d.c.TLS != nil {
		creds = noting{credentials.NewTLS(d.c.TLS.ClientConfig(to.Name)), note}
	}
	return grpc.NewClient("passthrough:///"+to.Address,
		grpc.WithTransportCredentials(creds),
		grpc.WithContextDialer(dial),
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithIdleTimeout(0),
		grpc.WithUserAgent("troupe/"+d.c.Self.Version),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: minRedial, Multiplier: 2, Jitter: 0.2, MaxDelay: maxRedial},
			MinConnectTimeout: d.c.handshake(),
		}),
		grpc.WithStaticStreamWindowSize(windowBytes),
		grpc.WithStaticConnWindowSize(2*windowBytes),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReceiveBytes), grpc.MaxCallSendMsgSize(maxReceiveBytes)),
	)
}

// noting are TLS credentials that tell why a handshake failed.
type noting struct {
	credentials.TransportCredentials
	note func(error) error
}

// ClientHandshake is gRPC's.
func (n noting) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	c, info, err := n.TransportCredentials.ClientHandshake(ctx, authority, raw)
	return c, info, n.note(err)
}

// Clone is gRPC's.
func (n noting) Clone() credentials.TransportCredentials {
	return noting{n.TransportCredentials.Clone(), n.note}
}

// until is when a certificate ends, as a timer; without one, never.
func until(at time.Time) <-chan time.Time {
	if at.IsZero() {
		return nil
	}
	return time.After(time.Until(at))
}

// life is how long a stream made now is used: it is made anew before the
// certificate that it was opened with ends, and with its successor.
func (c *Config) life() time.Duration {
	if source, ok := c.TLS.(interface{ Self() pki.Identity }); ok {
		return min(streamLife, time.Until(source.Self().Until)*9/10)
	}
	return streamLife
}
