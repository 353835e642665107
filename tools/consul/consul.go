//go:build tools

// Package consul pins the Consul server that the tests and `make cluster` run,
// in a module of its own so that its dependencies are nobody else's. It owns
// the version and nothing else; scripts/consul.sh builds it.
package consul

import _ "github.com/hashicorp/consul"
