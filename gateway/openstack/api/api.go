// Package api owns what every OpenStack dialect of the gateway shares: routing,
// authentication, request ids, microversions, limits, admission and the path
// from an error kind to a status. What an error's body looks like, and every
// resource, belongs to the dialect's own package.
package api

import (
	"context"
	"io"
	"net/http"
	"slices"
	"time"
)

// Principal is who asks: a user with its roles on one project.
type Principal struct {
	UserID, UserName       string
	UserDomainID           string
	ProjectID, ProjectName string // empty: unscoped or domain-scoped
	ProjectDomainID        string
	DomainID               string // domain-scoped
	Roles                  []string
	ExpiresAt              time.Time
	Token                  string // as presented; never logged
}

// Admin says whether p may act on every project.
func (p *Principal) Admin() bool { return p != nil && slices.Contains(p.Roles, "admin") }

// CanWrite says whether p may change things in its project (admin or member).
func (p *Principal) CanWrite() bool {
	return p.Admin() || (p != nil && slices.Contains(p.Roles, "member"))
}

// Nobody is the scope of a principal without a project: an id that no project
// has. It must not be empty, for that is an operator's.
const Nobody = "(no project)"

// Scope is the project that commands of p are confined to; "" for an admin.
func (p *Principal) Scope() string {
	switch {
	case p.Admin():
		return ""
	case p == nil || p.ProjectID == "":
		return Nobody
	}
	return p.ProjectID
}

// Authenticator turns a token into a principal. Refusals wrap messages.Denied.
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (*Principal, error)
}

// Version is a microversion: 2.37 is {2, 37}. The zero Version: none asked for.
type Version struct{ Major, Minor int }

// AtLeast compares minor versions of the same major.
func (v Version) AtLeast(minor int) bool { return v.Minor >= minor }

// Request is an HTTP request with what the middleware found out about it.
type Request struct {
	*http.Request
	ID        string     // req-<uuid>
	Principal *Principal // nil on public routes without a valid token
	Version   Version
	GlobalID  string // req-<uuid> that the client sent, for the log; or ""

	server *Server
	w      http.ResponseWriter
}

// Response is what a handler answers. Body is rendered as JSON unless Stream is
// set; both nil sends no body. The zero Status is 200.
type Response struct {
	Status int
	Header http.Header
	Body   any
	Stream io.ReadCloser // copied to the client, then closed
	Length int64         // of Stream; 0: unknown
}

// Handler decodes, asks and renders; nothing more.
type Handler func(*Request) (Response, error)

// Route is one line of a dialect's routes.go. Pattern is net/http's, without
// the method and below the dialect's prefix: "/servers/{id}".
type Route struct {
	Method  string
	Pattern string
	Handle  Handler
	Public  bool // no token needed
	Admin   bool // only for administrators
	Write   bool // needs the role member or admin
	Stream  bool // the body is read by the handler as it comes: no body limit, no read time-out
}

// Dialect is one API: its prefix, its routes and the form of its errors.
type Dialect struct {
	Name   string // compute, image, ...
	Prefix string // "/compute"; patterns of Routes begin after it
	Routes []Route
	// WriteError answers with the dialect's error body. Status has been chosen
	// from err's kind (Status) unless the dialect overrides it.
	WriteError func(w http.ResponseWriter, r *Request, status int, err error)
	// Negotiate reads the microversion; nil: the dialect has none. It may set
	// response headers. An error is answered by WriteError.
	Negotiate func(r *Request, h http.Header) error
	// MaxBody limits JSON bodies, in bytes; 0: DefaultMaxBody.
	MaxBody int64
}

// DefaultMaxBody is the limit of a JSON body where the dialect sets none.
const DefaultMaxBody = 1 << 20
