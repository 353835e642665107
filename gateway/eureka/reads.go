package eureka

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

var errNone = fail(http.StatusNotFound, "")

// page answers with what is rendered at most once for each version of the view.
// List returns nil where there is nothing.
func (a *API) page(x *request, key pageKey, lives time.Duration, version uint64, list func() (func() []byte, uint64)) (reply, error) {
	key.json, key.compact = x.json, x.compact
	got := a.pages.get(key, version, lives, x.gzip(), func() ([]byte, uint64) {
		render, version := list()
		if render == nil {
			return nil, 0
		}
		return render(), version
	})
	if got.body == nil {
		return reply{}, errNone
	}
	return reply{rendered: got}, nil
}

// listing answers with applications.
func (a *API) listing(x *request, what string, lives time.Duration, list func(may) *listing) (reply, error) {
	if err := a.view.ready(x.Context()); err != nil {
		return reply{}, err
	}
	m := a.may(x)
	version, who := a.view.seenBy(m)
	return a.page(x, pageKey{what: what, who: who}, lives, version, func() (func() []byte, uint64) {
		l := list(m)
		if l == nil {
			return nil, 0
		}
		return func() []byte { return l.render(x.json, x.compact) }, l.version
	})
}

// seenBy is the version of the view, and what names the services that may be seen:
// who sees the same is answered the same.
func (v *view) seenBy(m may) (version uint64, who string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if m == nil {
		return v.version, ""
	}
	if v.services == nil {
		v.services = slices.Sorted(maps.Keys(v.sources))
	}
	return v.version, m.sees(v.services)
}

// sees is those of some services that may be seen, as one text that is not empty.
func (m may) sees(all []string) string {
	var b strings.Builder
	b.WriteByte(' ') // which no name of a service holds
	for _, name := range all {
		if m(name) {
			b.WriteString(name)
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// all answers GET /apps.
func (a *API) all(x *request) (reply, error) { return a.listing(x, "apps", 0, a.view.full) }

// changes answers GET /apps/delta.
func (a *API) changes(x *request) (reply, error) {
	return a.listing(x, "delta", recentSweep, a.view.delta)
}

func (a *API) vip(x *request) (reply, error)  { return a.addressed(x, "vips", false) }
func (a *API) svip(x *request) (reply, error) { return a.addressed(x, "svips", true) }

// addressed answers GET /vips/{vip} and /svips/{vip}; nobody there is 404.
func (a *API) addressed(x *request, what string, secure bool) (reply, error) {
	vip := strings.ToUpper(x.PathValue("vip"))
	return a.listing(x, what+"/"+vip, 0, func(m may) *listing {
		if l := a.view.addressed(secure, vip, m); len(l.apps) > 0 {
			return l
		}
		return nil
	})
}

// app answers GET /apps/{app}.
func (a *API) app(x *request) (reply, error) {
	if err := a.view.ready(x.Context()); err != nil {
		return reply{}, err
	}
	name, m := x.appName(), a.may(x)
	version, sources := a.view.appVersion(name)
	who := ""
	if m != nil {
		who = m.sees(sources)
	}
	return a.page(x, pageKey{what: "app/" + name, who: who}, 0, version, func() (func() []byte, uint64) {
		l, version := a.view.application(name, m)
		if len(l.entries) == 0 {
			return nil, 0
		}
		return func() []byte { return l.application(x.json, x.compact) }, version
	})
}

// appVersion is when an app last changed, and the services that are it; 0: never.
func (v *view) appVersion(name string) (version uint64, sources []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	app := v.apps[name]
	if app == nil {
		return 0, nil
	}
	for _, x := range app.shown() {
		if !slices.Contains(sources, x.source) {
			sources = append(sources, x.source)
		}
	}
	slices.Sort(sources)
	return app.version, sources
}

func (v *view) application(name string, m may) (listed, uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	app := v.apps[name]
	if app == nil {
		return listed{}, 0
	}
	return listed{name: name, entries: m.filter(app.shown())}, app.version
}

// instance answers GET /apps/{app}/{id}.
func (a *API) instance(x *request) (reply, error) {
	if err := a.view.ready(x.Context()); err != nil {
		return reply{}, err
	}
	return a.one(x, a.view.find(x.appName(), x.PathValue("id")))
}

// instanceByID answers GET /instances/{id}, where the app is not said.
func (a *API) instanceByID(x *request) (reply, error) {
	if err := a.view.ready(x.Context()); err != nil {
		return reply{}, err
	}
	v, m := a.view, a.may(x)
	v.mu.Lock()
	var found *entry
	for e := range v.ids[x.PathValue("id")] {
		if (m == nil || m(e.source)) && (found == nil || e.App < found.App) {
			found = e
		}
	}
	v.mu.Unlock()
	return a.one(x, found)
}

func (a *API) one(x *request, e *entry) (reply, error) {
	if m := a.may(x); e == nil || m != nil && !m(e.source) {
		return reply{}, errNone
	}
	return reply{rendered: rendered{body: e.one(x.json, x.compact)}}, nil
}
