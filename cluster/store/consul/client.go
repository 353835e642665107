package consul

import (
	"github.com/hashicorp/consul/api"
)

// Client is a connection to Consul for other parts of a node: the same addresses
// that are tried in turn, certificates, token and limits that a Store has.
type Client struct {
	*api.Client
	transport *transport
}

// Connect makes a Client; it dials when used. Errors wrap messages.Invalid. Of
// the Config only Address, Token and TLS count.
func Connect(c Config) (*Client, error) {
	t, client, err := connect(c)
	if err != nil {
		return nil, err
	}
	return &Client{Client: client, transport: t}, nil
}

// Move prefers the next address from now on.
func (c *Client) Move() { c.transport.move() }

// Close closes connections that are not in use.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Explain gives an error of the api package the kind that it has for us:
// Unavailable, Denied, or Internal for a request that Consul does not understand.
func Explain(err error) error { return explain(err) }

// NeverTaken reports whether an error says for certain that the request changed
// nothing and never will.
func NeverTaken(err error) bool { return err != nil && classify(err) != faultAmbiguous }
