package rpc

import (
	"errors"
	"io"
	"strconv"
	"unicode/utf8"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
)

// stream is the life of a connection: from its setup until either side ends it.
func stream(srv any, ss grpc.ServerStream) error {
	s := srv.(*Server)
	p, _ := peer.FromContext(ss.Context())
	c, ok := p.Addr.(*conn)
	if !ok {
		return status.Error(codes.Internal, "a stream without a connection")
	}
	var in payload
	if err := ss.RecvMsg(&in); err != nil {
		return err
	}
	c.touch()
	a, err := setup(&in)
	if err != nil {
		return err
	}
	if !c.begin(a, ss) {
		return status.Error(codes.AlreadyExists, "the connection is set up already, or has ended")
	}
	defer c.end()
	if a.abilities != nil {
		c.say("SetupAckRequest", s.request("internal", appendAbilities(nil)))
	}
	s.cfg.Log.Debug().Str("connection", c.id).Str("version", a.version).Str("module", a.labels["module"]).Msg("a client is set up")
	return c.listen(ss, &in)
}

// listen takes what the client says on the stream: answers to what it was asked.
func (c *conn) listen(ss grpc.ServerStream, in *payload) error {
	for {
		if cap(in.raw) > readBuffer {
			*in = payload{}
		}
		switch err := ss.RecvMsg(in); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		c.touch()
		if in.parse() == nil {
			c.heard(in)
		}
	}
}

// setup reads what a client says of itself.
func setup(in *payload) (*about, error) {
	if in.parse() != nil || string(in.kind) != "ConnectionSetupRequest" {
		return nil, status.Error(codes.InvalidArgument, "a stream begins with a ConnectionSetupRequest")
	}
	a := &about{clientIP: short(string(in.clientIP)), app: short(in.header("Client-AppName"))}
	js := wire.Scan(in.body)
	for js.Object(); ; {
		name, ok := js.Field()
		if !ok {
			break
		}
		switch string(name) {
		case "clientVersion":
			a.version = short(js.Text())
		case "tenant":
			a.tenant = short(js.Text())
		case "labels":
			a.labels = labels(js.TextMap())
		case "abilityTable":
			a.abilities = abilities(js)
		default:
			js.Skip()
		}
	}
	if js.End() != nil {
		return nil, status.Error(codes.InvalidArgument, "the ConnectionSetupRequest cannot be read")
	}
	if app := a.labels["AppName"]; app != "" {
		a.app = app
	}
	return a, nil
}

// short cuts what a client says of itself to what is kept of it.
func short(s string) string {
	if len(s) <= maxLabelBytes {
		return s
	}
	for s = s[:maxLabelBytes]; !utf8.ValidString(s); {
		s = s[:len(s)-1]
	}
	return s
}

func labels(all map[string]string) map[string]string {
	for k, v := range all {
		if len(k) > maxLabelBytes || len(v) > maxLabelBytes || len(all) > maxLabels {
			delete(all, k)
		}
	}
	return all
}

// abilities is nil if the client negotiates none.
func abilities(js *wire.Scanner) map[string]bool {
	if !js.Object() {
		return nil
	}
	all := map[string]bool{}
	for {
		name, ok := js.Field()
		if !ok {
			return all
		}
		key := string(name)
		if has := js.Bool(false); len(all) < maxLabels && len(key) <= maxLabelBytes {
			all[key] = has
		}
	}
}

// appendAbilities appends what this server can, which is not the AI registries.
func appendAbilities(b []byte) []byte {
	return append(b, `,"abilityTable":{"supportPersistentInstanceByGrpc":true,"fuzzyWatch":true,"lock":true,"mcp":false}`...)
}

// heard takes an answer of the client. That it came at all is what counts: Go
// clients say success:false of what they have done.
func (c *conn) heard(in *payload) {
	js := wire.Scan(in.body)
	var id string
	for js.Object(); ; {
		name, ok := js.Field()
		if !ok {
			break
		}
		if string(name) == "requestId" {
			id = js.Text()
		} else {
			js.Skip()
		}
	}
	number, err := strconv.ParseUint(id, 10, 64)
	if err != nil || js.End() != nil {
		return
	}
	c.acknowledged(number)
	c.mu.Lock()
	waiting := c.replies[number]
	delete(c.replies, number)
	c.mu.Unlock()
	if waiting != nil {
		waiting <- append([]byte(nil), in.body...)
		close(waiting)
	}
}
