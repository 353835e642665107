package rpc

import (
	"errors"
	"strconv"
	"unicode/utf8"

	"github.com/troupe-cloud/troupe/gateway/nacos/h2"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
)

// Message is h2.Peer's: what the client says on the stream. The first is its setup,
// all others are answers to what it was asked.
func (c *conn) Message(s *h2.Sender, raw []byte) error {
	c.touch()
	in := payload{raw: raw}
	c.mu.Lock()
	known := c.stream
	c.mu.Unlock()
	switch {
	case known == s:
		if in.parse() == nil {
			c.heard(&in)
		}
		return nil
	case known != nil:
		return errSetUp
	}
	a, err := setup(&in)
	if err != nil {
		return err
	}
	if !c.begin(a, s) {
		return errSetUp
	}
	if a.abilities != nil {
		c.say("SetupAckRequest", c.server.request("internal", appendAbilities(nil)))
	}
	c.server.cfg.Log.Debug().Str("connection", c.id).Str("version", a.version).Str("module", a.labels["module"]).Msg("a client is set up")
	return nil
}

// Ended is h2.Peer's.
func (c *conn) Ended(s *h2.Sender) {
	c.mu.Lock()
	mine := c.stream == s
	c.mu.Unlock()
	if mine {
		c.end()
	}
}

var (
	errSetUp  = errors.New("the connection is set up already, or has ended")
	errStream = errors.New("a stream begins with a ConnectionSetupRequest that can be read")
)

// setup reads what a client says of itself.
func setup(in *payload) (*about, error) {
	if in.parse() != nil || string(in.kind) != "ConnectionSetupRequest" {
		return nil, errStream
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
		return nil, errStream
	}
	if app := a.labels["AppName"]; app != "" {
		a.app = app
	}
	a.gray = a.grayLabels()
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
