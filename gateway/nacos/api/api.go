// Package api owns what every part of the Nacos dialect shares over HTTP: where
// parameters come from and how long they may be, who may do what, the three forms
// of results and errors, limits, the audit log, and the way from an error's kind to
// a status and a code. What is asked and answered belongs to the dialect's parts.
//
// Source: Nacos' open API guides of 1.x, 2.x and 3.x, and what its clients put on
// the wire.
package api

import (
	"context"
	"io"
	"net/http"
	"net/url"
)

// Prefix is the context path of every route.
const Prefix = "/nacos"

// Form is how a route's results and errors look.
type Form int

const (
	Plain  Form = iota // v1: bare text or JSON; errors are text with a status
	Rest               // v1 console and core: {"code":200,"message":null,"data":…}
	Result             // v2 and v3: {"code":0,"message":"success","data":…}
)

// Action is what somebody wants to do with a resource.
type Action string

const (
	Read  Action = "r"
	Write Action = "w"
)

// Types of resources.
const (
	Naming = "naming"
	Config = "config"
)

// Resource is what a permission is about: one service or config key, or with an
// empty Group or Name every one of the namespace or group.
type Resource struct{ Namespace, Group, Type, Name string }

// Access says who may use a route. The zero Access: administrators.
type Access struct {
	Public   bool // nobody has to say who they are
	Known    bool // whoever has said who they are
	Action   Action
	Resource func(*Request) Resource // with Action: what has to be permitted
}

// User is who asks.
type User struct {
	Name  string
	Admin bool
	may   func(Resource, Action) bool
}

// NewUser makes a user who may do what may says; Authenticators do.
func NewUser(name string, admin bool, may func(Resource, Action) bool) *User {
	return &User{Name: name, Admin: admin, may: may}
}

// May says whether u may do that; an administrator may do all. Safe on nil: nobody
// may do anything.
func (u *User) May(to Action, what Resource) bool {
	return u != nil && (u.Admin || u.may != nil && u.may(what, to))
}

// Credentials are what a request says about who sends it. A token goes before a
// name and a password.
type Credentials struct{ Token, Username, Password string }

// Authenticator finds out who asks. Refusals wrap messages.Denied.
type Authenticator interface {
	Identify(ctx context.Context, c Credentials) (*User, error)
}

// Request is an HTTP request with what the frame found out about it.
type Request struct {
	*http.Request
	ID       string     // of the request, for the log and the history
	Params   url.Values // of the query and the form together; the query's come first
	User     *User      // nil on public routes without credentials
	Route    *Route
	ClientIP string // address of the peer, without port

	w http.ResponseWriter
}

// Controller reaches the connection of the request: deadlines of a long poll.
func (r *Request) Controller() *http.ResponseController { return http.NewResponseController(r.w) }

// Answer is what a handler answers; one of its first four fields, in the order in
// which they are looked at.
type Answer struct {
	Stream io.ReadCloser // copied to the client, then closed
	Raw    []byte        // as it is
	Bare   any           // JSON, never wrapped
	Data   any           // JSON in the form of the route; in Plain a string is text

	Type   string // Content-Type of Stream and Raw; "": text/plain in UTF-8
	Status int    // 0: 200
	Header http.Header
}

// Handler decodes, asks and renders; nothing more.
type Handler func(*Request) (Answer, error)

// Route is one line of a part's table of routes. Pattern is net/http's, without the
// method and below Prefix.
type Route struct {
	Method  string
	Pattern string
	Form    Form
	Access  Access
	Handle  Handler
	Quiet   bool  // of what changes: not in the audit log; beats
	Hangs   bool  // may take as long as the client asks: a long poll
	Upload  bool  // the body is multipart/form-data, or read by the handler
	MaxBody int64 // in bytes; 0: DefaultMaxBody
}

// DefaultMaxBody holds a content of the largest size, escaped for a form.
const DefaultMaxBody = 3*(10<<20) + 1<<20
