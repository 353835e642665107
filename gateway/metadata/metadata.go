// Package metadata owns the service at 169.254.169.254: what a guest reads about
// itself over HTTP, in the OpenStack and the EC2 form. A guest is known by the
// address it asks from, nothing else. It also shows the configs of the registry that the
// guest's server names. The documents are made by package
// guestdata; the addresses are the network actor's.
package metadata

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors/machine"
	"github.com/troupe-cloud/troupe/cluster/watch"
	"github.com/troupe-cloud/troupe/drivers/guestdata"
	"github.com/troupe-cloud/troupe/messages"
)

// Limits of the service.
const (
	AskTimeout    = 5 * time.Second // for one request
	MaxConcurrent = 256             // requests under way; more are answered 503
	MaxPath       = 512             // bytes of a request's path
)

// Cloud answers who has an address and what it may read. An address that nobody
// has wraps messages.NotFound.
type Cloud interface {
	// ByAddress is the instance whose port on network has address.
	ByAddress(ctx context.Context, network string, address netip.Addr) (*messages.InstanceView, error)
	// WatchConfig tells a config's *messages.Config, or messages.NotFound, now and
	// whenever it has changed, until ctx ends.
	WatchConfig(ctx context.Context, c machine.Config) (<-chan watch.Change, error)
}

// Handler serves the guests of one network.
type Handler struct {
	cloud   Cloud
	network string
	log     zerolog.Logger
	slots   chan struct{}
	waits   waits
	closing chan struct{} // closed: nobody waits any more
	close   func()
}

// New makes the handler for the network with that id. Serve it on a listener
// inside the network's namespace: it believes the peer's address.
func New(cloud Cloud, network string, log zerolog.Logger) *Handler {
	h := &Handler{cloud: cloud, network: network, log: log, slots: make(chan struct{}, MaxConcurrent), closing: make(chan struct{})}
	h.close = sync.OnceFunc(func() { close(h.closing) })
	return h
}

// Server is an http.Server for h with time-outs fit for guests, which may be
// slow or hostile. Its Shutdown does not wait for guests that wait for a change.
func Server(h *Handler) *http.Server {
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    8 << 10,
	}
	s.RegisterOnShutdown(h.close)
	return s
}

// ServeHTTP answers one guest. Forwarding headers are not looked at: a guest
// could write them.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD are served here", http.StatusMethodNotAllowed)
		return
	}
	if len(r.URL.Path) > MaxPath {
		http.Error(w, "the path is too long", http.StatusRequestURITooLong)
		return
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	end, ok := h.begin(r, peer.Addr())
	if !ok {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many requests at once", http.StatusServiceUnavailable)
		return
	}
	defer end()
	ctx, cancel := context.WithTimeout(r.Context(), AskTimeout)
	defer cancel()
	view, err := h.cloud.ByAddress(ctx, h.network, peer.Addr().Unmap())
	if err != nil {
		h.refuse(w, r, peer.Addr(), err)
		return
	}
	if name, ok := configName(r); ok {
		h.configs(w, r, view, name)
		return
	}
	h.serve(w, r, documents(view))
}

// begin takes a place for a request; those that wait for a config have places of their
// own, so that nobody waits for them.
func (h *Handler) begin(r *http.Request, guest netip.Addr) (end func(), ok bool) {
	if patient, _ := patience(r); patient > 0 && strings.HasPrefix(clean(r), configRoot+"/") {
		return func() { h.waits.end(guest) }, h.waits.begin(guest)
	}
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots }, true
	default:
		return nil, false
	}
}

// configName is which config a request is about; empty: which there are.
func configName(r *http.Request) (name string, ok bool) {
	name, ok = strings.CutPrefix(clean(r), configRoot)
	return strings.TrimPrefix(name, "/"), ok && (name == "" || name[0] == '/')
}

// clean is the path without slashes around it.
func clean(r *http.Request) string { return strings.Trim(path.Clean("/"+r.URL.Path), "/") }

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, from netip.Addr, err error) {
	if errors.Is(err, messages.NotFound) {
		h.log.Debug().Stringer("address", from).Str("path", r.URL.Path).Msg("metadata asked by an unknown address")
		http.NotFound(w, r)
		return
	}
	if messages.KindOf(err) == messages.ErrorKind_ERROR_KIND_UNAVAILABLE {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	h.log.Warn().Err(err).Stringer("address", from).Msg("metadata request failed")
	http.Error(w, "internal error", http.StatusInternalServerError)
}

// documents are the files of v as the service shows them. The administrator's
// password is left out: on a config drive only root reads it, but every process
// of a guest can ask over HTTP.
func documents(v *messages.InstanceView) map[string][]byte {
	if v.GetAdminPassword() != "" {
		v = proto.Clone(v).(*messages.InstanceView)
		v.AdminPassword = ""
	}
	return guestdata.Expand(guestdata.Render(v))
}
