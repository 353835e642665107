package bench

import (
	"errors"
	"fmt"
	"time"
)

// Sizes of read buffers: of connections that are kept busy, and of many that wait.
const (
	busyBuffer = 64 << 10
	idleBuffer = 1 << 10
)

// setupTries is how often a connection is asked whether it is registered.
const setupTries = 200

// setup is what a client says when it connects.
const setup = `{"clientVersion":"Nacos-Go-Client:v2.3.5","tenant":"","labels":{"source":"sdk","module":"naming"},"clientAbilities":{}}`

// client is one connection as a client of Nacos makes it, and the stream on which
// the server speaks.
type client struct {
	*h2
	token  string
	stream uint32
}

// connect makes a connection and waits until requests are taken on it.
func (x *registryCloud) connect(buffer int) (*client, error) {
	h, err := dialH2(x.grpc, buffer)
	if err != nil {
		return nil, err
	}
	c := &client{h2: h, token: x.token}
	c.stream = h.open(appendPayload(nil, "ConnectionSetupRequest", x.token, setup))
	for range setupTries {
		if err = c.ask("HealthCheckRequest", "{}"); err == nil {
			return c, nil
		}
		time.Sleep(time.Millisecond)
	}
	h.close()
	return nil, err
}

// ask asks and waits for a good answer; what is pushed meanwhile is passed over.
func (c *client) ask(kind, json string) error {
	stream := c.call(appendPayload(nil, kind, c.token, json))
	err := errors.New("there was no answer")
	for {
		e, failure := c.read()
		switch {
		case failure != nil:
			return failure
		case e.stream != stream:
		case e.message != nil:
			if err = failed(e.message); err != nil {
				err = fmt.Errorf("%s: %w", kind, err)
			}
		}
		if e.stream == stream && e.ended {
			return err
		}
	}
}

// pump keeps so many calls in flight until the time is over, and then waits for
// those. Next appends the message of the next call. All answers have to be good.
func (c *client) pump(until time.Time, inFlight int, next func([]byte) []byte) (done int64, err error) {
	var message []byte
	begin := func() {
		message = next(message[:0])
		c.call(message)
	}
	for range inFlight {
		begin()
	}
	good := 0
	for waiting := inFlight; waiting > 0; {
		e, err := c.read()
		switch {
		case err != nil:
			return done, err
		case e.stream == c.stream:
			continue
		case e.message != nil:
			if err := failed(e.message); err != nil {
				return done, err
			}
			good++
		}
		if !e.ended {
			continue
		}
		waiting--
		if done++; time.Now().Before(until) {
			begin()
			waiting++
		}
	}
	if int64(good) != done {
		return done, fmt.Errorf("%d calls had %d answers", done, good)
	}
	return done, nil
}
