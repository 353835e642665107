package push

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/balancer"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// gzipFrom is the size from which an answer is worth packing, in bytes.
const gzipFrom = 4 << 10

// View is the answer: a service as its callers need to know it.
type View struct {
	Namespace string            `json:"namespace"`
	Group     string            `json:"group"`
	Name      string            `json:"name"`
	Exists    bool              `json:"exists"`
	Revision  int64             `json:"revision"` // grows with each change
	Protected bool              `json:"protected,omitempty"`
	Metadata  map[string]string `json:"metadata,omitempty"` // of the service
	Wrong     []string          `json:"wrong,omitempty"`    // of the metadata: settings of the balancer that do not count, and why
	Endpoints []Endpoint        `json:"endpoints"`
}

// Endpoint is one of a service. Where the service is protected, for too few of its
// endpoints are healthy, all are shown as healthy.
type Endpoint struct {
	ID       string            `json:"id,omitempty"`
	IP       string            `json:"ip"`
	Port     int32             `json:"port"`
	Weight   float64           `json:"weight"`
	Healthy  bool              `json:"healthy"`
	Enabled  bool              `json:"enabled"`
	Cluster  string            `json:"cluster"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// view is a state as it is shown.
func view(s *registry.State) View {
	v := View{Revision: s.Revision, Endpoints: []Endpoint{}}
	v.Namespace, v.Group, v.Name, _ = service.Parse(s.Ref.ID) // it was made of them
	if s.Service == nil {
		return v
	}
	v.Exists, v.Metadata = true, s.Service.GetMetadata()
	if _, err := balancer.WishesOf(v.Metadata); err != nil {
		v.Wrong = strings.Split(err.Error(), "\n")
	}
	var all []*messages.Endpoint
	all, v.Protected = service.Select(s.Service.GetEndpoints(), service.Query{
		IncludeDisabled: true, ProtectThreshold: s.Service.GetProtectThreshold(),
	})
	v.Endpoints = make([]Endpoint, len(all))
	for i, e := range all {
		v.Endpoints[i] = Endpoint{
			ID: e.GetId(), IP: e.GetIp(), Port: e.GetPort(), Weight: e.GetWeight(), Healthy: e.GetHealthy(), Enabled: e.GetEnabled(),
			Cluster: e.GetCluster(), Metadata: e.GetMetadata(),
		}
	}
	return v
}

func render(s *registry.State) []byte {
	return s.Rendered("troupe", func() []byte {
		raw, err := json.Marshal(view(s))
		if err != nil {
			raw = []byte("{}") // numbers and text can always be encoded
		}
		return raw
	})
}

func pack(s *registry.State, raw []byte) []byte {
	return s.Rendered("troupe.gzip", func() []byte {
		var b bytes.Buffer
		w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed) // the level is one
		_, _ = w.Write(raw)                             // to memory
		_ = w.Close()
		return b.Bytes()
	})
}

// write answers with a state, or with nothing if the client has it.
func write(w http.ResponseWriter, r *http.Request, s *registry.State, have int64) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTime)) // not every writer has one
	h := w.Header()
	h.Set(Revision, strconv.FormatInt(s.Revision, 10))
	h.Set("Cache-Control", "no-store")
	if s.Revision == have {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	raw := render(s)
	h.Set("Content-Type", "application/json")
	h.Set("Vary", "Accept-Encoding")
	if len(raw) >= gzipFrom && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		raw = pack(s, raw)
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(raw)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(raw) // a client that is gone is told nothing
	}
}
