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
	Project string    // of a client: the project that it is confined to; "": an operator's, who may do everything
	Reader  bool      // of a client: it may only look
	Until   time.Time // the certificate's end
}

func (i Identity) String() string { return i.Role + " " + i.Name }

// url is the one spelling of i. What a client is confined to stands in it, so that
// a node which does not know of that refuses the certificate.
func (i Identity) url() *url.URL {
	u := &url.URL{Scheme: scheme, Host: i.Cluster, Path: "/" + i.Role + "/" + i.Name}
	var limits []string
	if i.Project != "" {
		limits = append(limits, projectLimit+i.Project)
	}
	if i.Reader {
		limits = append(limits, readerLimit)
	}
	u.RawQuery = strings.Join(limits, "&")
	return u
}

// What a client can be confined to, as it stands in the URI after a question mark.
const (
	projectLimit = "project="
	readerLimit  = "role=reader"
)

// limit reads what a client is confined to.
func (i *Identity) limit(query string) (ok bool) {
	if project, found := strings.CutPrefix(query, projectLimit); found {
		i.Project, query, _ = strings.Cut(project, "&")
		if !projectForm.MatchString(i.Project) {
			return false
		}
	}
	i.Reader = query == readerLimit
	return i.Reader || query == ""
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
	projectForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	clusterForm = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)
)

// CheckName refuses what cannot be the name of a node or client.
func CheckName(name string) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("%.80q is no name: 1 to 63 letters, digits, dots, dashes and underscores, the first and last a letter or digit: %w", name, messages.Invalid)
	}
	return nil
}

// CheckProject refuses what cannot be the id of a project that a client is
// confined to; "" is none.
func CheckProject(id string) error {
	if id != "" && !projectForm.MatchString(id) {
		return fmt.Errorf("%.80q is no id of a project: 1 to 64 letters, digits, dots, dashes and underscores: %w", id, messages.Invalid)
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
	rest, query, limited := strings.Cut(rest, "?")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) < 2 || !clusterForm.MatchString(parts[0]) {
		return bad()
	}
	id := Identity{Cluster: parts[0], Role: parts[1]}
	switch {
	case limited && (id.Role != Client || !id.limit(query)):
	case id.Role == authority && len(parts) == 2:
		return id, nil
	case (id.Role == Node || id.Role == Client) && len(parts) == 3 && nameForm.MatchString(parts[2]):
		id.Name = parts[2]
		if id.url().String() == uri {
			return id, nil
		}
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
