package eureka

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/messages/encode"
)

// operation is one of a batch.
type operation struct {
	action, app, id  string
	dirty            int64
	status, override string
	instance         *instance
}

// batch answers POST /peerreplication/batch: what another Eureka has heard, so that
// its clients can move here one after the other. Each operation is permitted, done
// and answered for itself; nothing is sent back. What the batch has registered is shown
// when it is answered: the peer's next one is about that.
func (a *API) batch(x *request) (reply, error) {
	x.json = true
	root, err := parseJSON(x.body, maxBatchNodes)
	if err != nil {
		return reply{}, fail(http.StatusBadRequest, "the body is no list of operations: "+err.Error())
	}
	all := root.all("replicationList")
	if len(all) > MaxBatchItems {
		return reply{}, fail(http.StatusRequestEntityTooLarge, "there are too many operations in the list")
	}
	registered := map[string]int64{} // revisions of services
	b := []byte(`{"responseList":[`)
	for k, one := range all {
		if k > 0 {
			b = append(b, ',')
		}
		b = a.answer(b, x, one.operation(), registered)
	}
	a.shown(x.Context(), registered)
	return reply{rendered: rendered{body: append(b, "]}"...)}}, nil
}

func (n *node) operation() *operation {
	o := &operation{
		action: n.value("action"), app: strings.ToUpper(n.value("appName")), id: n.value("id"),
		dirty: n.number("lastDirtyTimestamp"), status: n.value("status"), override: n.value("overriddenStatus"),
	}
	if i := n.kid("instanceInfo"); i != nil {
		o.instance = i.instance()
	}
	return o
}

// answer does one operation and writes what came of it.
func (a *API) answer(b []byte, x *request, o *operation, registered map[string]int64) []byte {
	status, e, err := http.StatusForbidden, (*entry)(nil), error(nil)
	if x.user.May(api.Write, a.resource(o.app)) {
		status, e, err = a.do(x.Context(), o, registered)
	}
	var f *failure
	switch {
	case errors.As(err, &f):
		status = f.status
	case messages.KindOf(err) == messages.ErrorKind_ERROR_KIND_INVALID:
		status = http.StatusBadRequest
	case messages.KindOf(err) == messages.ErrorKind_ERROR_KIND_UNAVAILABLE:
		status = http.StatusServiceUnavailable
	case err != nil:
		a.cfg.Log.Warn().Str("request", x.id).Str("app", o.app).Str("action", o.action).Err(err).Msg("an operation of a peer failed")
		status = http.StatusInternalServerError
	}
	w := encode.OpenLoose(b)
	w.Int("statusCode", int64(status))
	b, _ = w.Close() // numbers have no errors
	if status == http.StatusConflict && e != nil {
		b = append(b[:len(b)-1], `,"responseEntity":`...)
		return append(appendJSON(b, e.instance, e.action, false), '}')
	}
	return b
}

// do does one operation of a peer. Of a service in which it registers something it notes
// the revision.
func (a *API) do(ctx context.Context, o *operation, registered map[string]int64) (int, *entry, error) {
	switch o.action {
	case "Register":
		if o.instance == nil {
			return 0, nil, fail(http.StatusBadRequest, "")
		}
		revision, err := a.enlist(ctx, o.app, o.instance, true)
		registered[o.app] = max(registered[o.app], revision)
		return http.StatusOK, nil, err
	case "Heartbeat":
		return a.heartbeat(ctx, o.app, o.id, o.dirty, o.override, true)
	case "Cancel", "StatusUpdate", "DeleteStatusOverride":
		e, err := a.locate(ctx, o.app, o.id)
		if err != nil {
			return 0, nil, err
		}
		return http.StatusOK, nil, a.apply(ctx, o, e)
	}
	return http.StatusBadRequest, nil, nil
}

// apply changes an instance as a peer says.
func (a *API) apply(ctx context.Context, o *operation, e *entry) error {
	switch {
	case o.action == "Cancel":
		return a.remove(ctx, e, false)
	case o.action == "StatusUpdate":
		return a.override(ctx, e, statusOf(o.status), false)
	case o.status == "":
		return a.clear(ctx, e, unknown, false)
	}
	return a.clear(ctx, e, statusOf(o.status), false)
}
