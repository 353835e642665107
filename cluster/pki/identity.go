package pki

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// What the holder of a certificate is.
const (
	Node   = "node"
	Client = "client"

	authority = "ca"
	scheme    = "troupe"
)

// What a node does; its certificate says which of them it may.
const (
	Gateway = "gateway"
	Control = "control"
	Compute = "compute"
)

// Roles are all that a node can have.
func Roles() []string { return []string{Gateway, Control, Compute} }

// holdsKey says whether a node of these roles needs the cluster's key: gateways
// seal tokens of users with what is in the vault, and both sign certificates.
func holdsKey(roles []string) bool {
	return slices.Contains(roles, Gateway) || slices.Contains(roles, Control)
}

// Identity is who a certificate says its holder is.
type Identity struct {
	Cluster string
	Role    string    // Node or Client
	Name    string    // of the node or client
	Roles   []string  // of a node: what it may do
	Until   time.Time // the certificate's end
}

func (i Identity) String() string { return i.Role + " " + i.Name }

func (i Identity) url() *url.URL {
	return &url.URL{Scheme: scheme, Host: i.Cluster, Path: "/" + i.Role + "/" + i.Name}
}

// May refuses roles that the certificate does not allow.
func (i Identity) May(roles []string) error {
	for _, r := range roles {
		if !slices.Contains(i.Roles, r) {
			return fmt.Errorf("the certificate of node %s allows the roles %s, not %s: %w", i.Name, strings.Join(i.Roles, ","), r, messages.Denied)
		}
	}
	return nil
}

var (
	nameForm    = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)
	clusterForm = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)
)

// CheckName refuses what cannot be the name of a node or client.
func CheckName(name string) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("%.80q is no name: 1 to 63 letters, digits, dots, dashes and underscores, the first and last a letter or digit: %w", name, messages.Invalid)
	}
	return nil
}

// CheckRoles refuses an empty list, unknown roles and those named twice.
func CheckRoles(roles []string) error {
	if len(roles) == 0 {
		return fmt.Errorf("a node needs a role: %s: %w", strings.Join(Roles(), ", "), messages.Invalid)
	}
	for i, r := range roles {
		if !slices.Contains(Roles(), r) || slices.Contains(roles[:i], r) {
			return fmt.Errorf("%.40q: the roles are %s, each once: %w", r, strings.Join(Roles(), ", "), messages.Invalid)
		}
	}
	return nil
}

// parseIdentity reads the URI of a certificate. There is one spelling of each.
func parseIdentity(uri string) (Identity, error) {
	bad := func() (Identity, error) {
		return Identity{}, fmt.Errorf("%.120q is no identity of ours: %w", uri, messages.Invalid)
	}
	rest, ok := strings.CutPrefix(uri, scheme+"://")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) < 2 || !clusterForm.MatchString(parts[0]) {
		return bad()
	}
	id := Identity{Cluster: parts[0], Role: parts[1]}
	switch {
	case id.Role == authority && len(parts) == 2:
		return id, nil
	case (id.Role == Node || id.Role == Client) && len(parts) == 3 && nameForm.MatchString(parts[2]):
		id.Name = parts[2]
		return id, nil
	}
	return bad()
}

// identityOf is who a certificate says its holder is. Whether that is true is
// for verify to say.
func identityOf(c *x509.Certificate) (Identity, error) {
	if len(c.URIs) != 1 {
		return Identity{}, refuse(ErrUntrusted, "the certificate %q says nothing about a cluster", c.Subject)
	}
	id, err := parseIdentity(c.URIs[0].String())
	if err != nil {
		return Identity{}, refuse(ErrUntrusted, "the certificate %q has the identity %.120q, which is none of ours", c.Subject, c.URIs[0])
	}
	id.Until = c.NotAfter
	if id.Role == Node {
		id.Roles = c.Subject.OrganizationalUnit
	}
	return id, nil
}
