package network

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	actor "github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// decodeOne reads {"<name>": {...}}.
func decodeOne[T any](r *api.Request, name string) (T, error) {
	raw, err := api.ReadJSON(r)
	if err != nil {
		var none T
		return none, err
	}
	return parseOne[T](raw, name)
}

func parseOne[T any](raw []byte, name string) (T, error) {
	var none T
	items, bulk, err := parse[T](raw, name)
	if err == nil && bulk {
		err = fmt.Errorf("one %s is expected, not a list: %w", name, messages.Invalid)
	}
	if err != nil {
		return none, err
	}
	return items[0], nil
}

// decode reads {"<name>": {...}} or, in bulk, {"<name>s": [{...}, ...]}.
func decode[T any](r *api.Request, name string) (items []T, bulk bool, err error) {
	raw, err := api.ReadJSON(r)
	if err != nil {
		return nil, false, err
	}
	return parse[T](raw, name)
}

func parse[T any](raw []byte, name string) (items []T, bulk bool, err error) {
	var body map[string]json.RawMessage
	if err := json.Unmarshal(raw, &body); err != nil {
		return nil, false, fmt.Errorf("the body is not a JSON object: %w", messages.Invalid)
	}
	if one, ok := body[name]; ok && len(body) == 1 {
		item, err := parseItem[T](one)
		return []T{item}, false, err
	}
	list, ok := body[name+"s"]
	var parts []json.RawMessage
	if !ok || len(body) != 1 || json.Unmarshal(list, &parts) != nil || len(parts) == 0 || len(parts) > maxBulk {
		return nil, false, fmt.Errorf("the body has to be one '%s', or '%ss' with 1 to %d of them: %w", name, name, maxBulk, messages.Invalid)
	}
	for _, part := range parts {
		item, err := parseItem[T](part)
		if err != nil {
			return nil, true, err
		}
		items = append(items, item)
	}
	return items, true, nil
}

// parseItem refuses attributes that T does not have.
func parseItem[T any](raw json.RawMessage) (item T, err error) {
	if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		return item, fmt.Errorf("a resource is a JSON object: %w", messages.Invalid)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err = d.Decode(&item)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return item, nil
	case errors.As(err, &wrong):
		return item, fmt.Errorf("invalid input for %s: a %s is not what it can be: %w", wrong.Field, wrong.Value, messages.Invalid)
	}
	return item, fmt.Errorf("unrecognized attribute(s) %s: %w",
		strings.ReplaceAll(strings.TrimPrefix(err.Error(), "json: unknown field "), `"`, "'"), messages.Invalid)
}

// create makes what the body says, one thing of that name or several, in the scope of
// the caller, and answers 201. make is makeAll's.
func create[B any](r *api.Request, name string, make func(scope string, b B) (made item, undo func(), err error)) (api.Response, error) {
	bodies, bulk, err := decode[B](r, name)
	if err != nil {
		return api.Response{}, err
	}
	s, err := scope(r)
	if err != nil {
		return api.Response{}, err
	}
	made, err := makeAll(bodies, func(b B) (item, func(), error) { return make(s, b) })
	if err != nil {
		return api.Response{}, err
	}
	if bulk {
		return api.Response{Status: 201, Body: item{name + "s": made}}, nil
	}
	return api.Response{Status: 201, Body: item{name: made[0]}}, nil
}

// makeAll makes every one of bodies, or none: when one is refused, those before
// it are taken back.
func makeAll[T any](bodies []T, make func(T) (made item, undo func(), err error)) (all []item, err error) {
	var undo []func()
	for _, b := range bodies {
		made, back, err := make(b)
		if err != nil {
			for _, f := range undo {
				f()
			}
			return nil, err
		}
		all, undo = append(all, made), append(undo, back)
	}
	return all, nil
}

// undo is the function that takes something back, though the client may be gone.
func (a *API) undo(r *api.Request, network string, m proto.Message) func() {
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), undoTime)
		defer cancel()
		_, _ = a.cloud.Ask(ctx, actor.Ref(network), m) // what cannot be taken back, its owner sees and can delete
	}
}

// undoTime bounds taking one thing back.
const undoTime = 5 * time.Second

// show answers one thing, with only the fields asked for.
func show(r *api.Request, name string, it item) api.Response {
	return api.Response{Body: item{name: pick(it, r.URL.Query()["fields"])}}
}

func pick(it item, fields []string) item {
	if len(fields) == 0 {
		return it
	}
	some := make(item, len(fields))
	for _, f := range fields {
		if v, ok := it[f]; ok {
			some[f] = v
		}
	}
	return some
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
