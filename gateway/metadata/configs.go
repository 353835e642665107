package metadata

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/troupe-cloud/troupe/actors/machine"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/cluster/watch"
	"github.com/troupe-cloud/troupe/messages"
)

// configRoot is below what guests find the configs that their metadata name: a list of
// GROUP/DATAID, and each by that name.
const configRoot = "openstack/latest/troupe/config"

// Limits of waiting for a config to change.
const (
	MaxWait       = 25 * time.Second // below the server's WriteTimeout
	MaxWaits      = 4096             // on one network; more are answered 503
	MaxGuestWaits = 32               // of one guest
)

// waits counts who waits for a config.
type waits struct {
	mu    sync.Mutex
	all   int
	guest map[netip.Addr]int
}

// begin says whether one more may wait.
func (w *waits) begin(guest netip.Addr) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all >= MaxWaits || w.guest[guest] >= MaxGuestWaits {
		return false
	}
	if w.guest == nil {
		w.guest = map[netip.Addr]int{}
	}
	w.all++
	w.guest[guest]++
	return true
}

func (w *waits) end(guest netip.Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all--
	if w.guest[guest]--; w.guest[guest] == 0 {
		delete(w.guest, guest)
	}
}

// patience is how long a request wants to wait; 0: not at all. False: that is no
// number of seconds.
func patience(r *http.Request) (time.Duration, bool) {
	text := r.URL.Query().Get("wait")
	if text == "" {
		return 0, true
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0) {
		return 0, false
	}
	return time.Duration(min(n, MaxWait.Seconds()) * float64(time.Second)), true
}

// configs serves what is below configRoot: only what the server's metadata name.
func (h *Handler) configs(w http.ResponseWriter, r *http.Request, view *messages.InstanceView, name string) {
	wishes, err := machine.Parse(view.GetMetadata(), view.GetTags())
	if err != nil {
		wishes = machine.Wishes{} // it has been refused where it was set
	}
	if name == "" {
		var names []string
		for _, c := range wishes.Configs {
			names = append(names, c.Group+"/"+c.DataID)
		}
		slices.Sort(names)
		text(w, r, strings.Join(names, "\n"))
		return
	}
	group, id, _ := strings.Cut(name, "/")
	i := slices.IndexFunc(wishes.Configs, func(c machine.Config) bool { return c.Group == group && c.DataID == id })
	patient, ok := patience(r)
	switch {
	case i < 0:
		http.NotFound(w, r)
	case !ok:
		http.Error(w, "wait is a number of seconds", http.StatusBadRequest)
	default:
		h.config(w, r, view.GetProjectId(), wishes.Configs[i], patient)
	}
}

// config answers with the content as soon as its MD5 is not that of the request, or
// 304 when the time is over. One that the project may not read is as one that there
// is not.
func (h *Handler) config(w http.ResponseWriter, r *http.Request, project string, c machine.Config, patient time.Duration) {
	ctx, cancel := context.WithTimeout(r.Context(), patient+AskTimeout)
	defer cancel()
	changes, err := h.cloud.WatchConfig(ctx, c)
	if err != nil {
		h.refuse(w, r, netip.Addr{}, err)
		return
	}
	known := r.URL.Query().Get("md5")
	over := time.NewTimer(patient)
	defer over.Stop()
	var now *messages.Config
	for heard := false; ; {
		var late <-chan time.Time
		if heard {
			late = over.C
		}
		select {
		case change, open := <-changes:
			if !open {
				h.refuse(w, r, netip.Addr{}, messages.Unavailable)
				return
			}
			if now, err = readable(change, project, c); err != nil {
				h.refuse(w, r, netip.Addr{}, err)
				return
			}
			if heard = true; now.GetEntry().GetMd5() == known {
				continue
			}
		case <-late:
		case <-h.closing:
			if !heard {
				h.refuse(w, r, netip.Addr{}, messages.Unavailable)
				return
			}
		}
		answer(w, r, now, known)
		return
	}
}

// readable is the config, nil if there is none that the project may read.
func readable(change watch.Change, project string, c machine.Config) (*messages.Config, error) {
	if errors.Is(change.Err, messages.NotFound) {
		return nil, nil
	}
	if change.Err != nil {
		return nil, change.Err
	}
	now, _ := change.Answer.(*messages.Config)
	if !now.GetFormal() || c.Namespace != project && !service.TagsName(now.GetEntry().GetTags(), project) {
		return nil, nil
	}
	return now, nil
}

func answer(w http.ResponseWriter, r *http.Request, now *messages.Config, known string) {
	sum := now.GetEntry().GetMd5()
	switch {
	case now == nil:
		http.NotFound(w, r)
	case sum == known:
		w.Header().Set("X-Troupe-Md5", sum)
		w.WriteHeader(http.StatusNotModified)
	default:
		w.Header().Set("X-Troupe-Md5", sum)
		write(w, r, "text/plain; charset=utf-8", []byte(now.GetContent()))
	}
}
