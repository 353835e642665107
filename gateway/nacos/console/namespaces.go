package console

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/namespace"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

// namespaceView is a namespace as clients know it.
type namespaceView struct {
	ID    string `json:"namespace"`
	Name  string `json:"namespaceShowName"`
	Desc  string `json:"namespaceDesc"`
	Quota int64  `json:"quota"`
	Count int    `json:"configCount"`
	Type  int32  `json:"type"`
}

// dialect is what differs between the versions.
type dialect struct {
	public string // how the public namespace is called
}

var (
	before3 = dialect{public: ""}
	since3  = dialect{public: namespace.Public}
)

func (a *API) view(ctx context.Context, d dialect, n *messages.Namespace) (namespaceView, error) {
	count, err := a.counted.configs(ctx, a.Cloud, n.Id)
	v := namespaceView{n.Id, n.Name, n.Description, n.Quota, count, n.Type}
	if n.Id == namespace.Public {
		v.ID = d.public
	}
	return v, err
}

// every lists the namespaces, the public one first.
func (a *API) every(ctx context.Context) ([]*messages.Namespace, error) {
	public, err := cluster.Ask[*messages.Namespace](ctx, a.Cloud, namespace.Ref(""), &messages.GetNamespace{})
	if err != nil {
		return nil, err
	}
	all := []*messages.Namespace{public}
	err = each(ctx, a.Cloud, namespace.IndexPrefix, func(e actors.Entry) error {
		n := &messages.Namespace{}
		if err := proto.Unmarshal(e.Value, n); err != nil {
			return fmt.Errorf("the entry of namespace %s: %w", e.Key, err)
		}
		all = append(all, n)
		return nil
	})
	slices.SortStableFunc(all[1:], func(x, y *messages.Namespace) int { return strings.Compare(x.Name, y.Name) })
	return all, err
}

func (a *API) listNamespaces(d dialect) api.Handler {
	return func(r *api.Request) (api.Answer, error) {
		all, err := a.every(r.Context())
		if err != nil {
			return api.Answer{}, err
		}
		views := make([]namespaceView, len(all))
		for i, n := range all {
			if views[i], err = a.view(r.Context(), d, n); err != nil {
				return api.Answer{}, err
			}
		}
		return api.Answer{Data: views}, nil
	}
}

// get is one namespace.
func (a *API) get(ctx context.Context, d dialect, id string) (namespaceView, error) {
	n, err := cluster.Ask[*messages.Namespace](ctx, a.Cloud, namespace.Ref(api.Namespace(id)), &messages.GetNamespace{})
	if errors.Is(err, messages.NotFound) {
		err = api.NamespaceNotFound.Errorf("namespace [ %s ] not exist", api.Short(id))
	}
	if err != nil {
		return namespaceView{}, err
	}
	return a.view(ctx, d, n)
}

func (a *API) showNamespace(d dialect) api.Handler {
	return func(r *api.Request) (api.Answer, error) {
		id := r.Values().Text("namespaceId")
		if err := api.CheckNamespace(id); err != nil {
			return api.Answer{}, err
		}
		v, err := a.get(r.Context(), d, id)
		return api.Answer{Data: v}, err
	}
}

// exists says whether there is a namespace of that id.
func (a *API) exists(ctx context.Context, id string) (bool, error) {
	if api.CheckNamespace(id) != nil {
		return false, nil
	}
	_, err := a.Cloud.Ask(ctx, namespace.Ref(api.Namespace(id)), &messages.GetNamespace{})
	if errors.Is(err, messages.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// create makes a namespace; without an id, one that nobody has.
func (a *API) create(ctx context.Context, id, name, desc string) error {
	if id == "" {
		id = newUUID()
	}
	if err := errors.Join(api.CheckNamespace(id), checkShown(name, desc)); err != nil {
		return err
	}
	exists := api.NamespaceExists.Errorf("namespaceId [%s] already exist", id)
	if id == namespace.Public {
		return exists
	}
	_, err := a.Cloud.Ask(ctx, namespace.Ref(id), &messages.CreateNamespace{Name: name, Description: desc, Quota: namespace.DefaultQuota})
	if errors.Is(err, messages.Conflict) {
		err = exists
	}
	return err
}

func checkShown(name, desc string) error {
	if utf8.RuneCountInString(desc) > namespace.MaxDescriptionRunes {
		return api.NamespaceIllegal.Errorf("namespaceDesc has at most %d characters", namespace.MaxDescriptionRunes)
	}
	return api.CheckNamespaceName(name)
}

func (a *API) update(ctx context.Context, id, name, desc string) error {
	if err := errors.Join(api.CheckNamespace(id), checkShown(name, desc)); err != nil {
		return err
	}
	_, err := a.Cloud.Ask(ctx, namespace.Ref(id), &messages.UpdateNamespace{Name: name, Description: desc})
	if errors.Is(err, messages.NotFound) {
		err = api.NamespaceNotFound.Errorf("namespace [ %s ] not exist", id)
	}
	return err
}

// remove removes the record of a namespace; what is in it stays. False if there is
// no such record, or never goes.
func (a *API) remove(ctx context.Context, id string) (bool, error) {
	if err := api.CheckNamespace(id); err != nil {
		return false, err
	}
	if id == namespace.Public {
		return false, nil
	}
	_, err := a.Cloud.Ask(ctx, namespace.Ref(id), &messages.DeleteNamespace{})
	if errors.Is(err, messages.NotFound) {
		return false, nil
	}
	return err == nil, err
}

func (a *API) createNamespace(r *api.Request) (api.Answer, error) {
	v := r.Values()
	id, name, desc := v.Text("namespaceId", "customNamespaceId"), v.Need("namespaceName"), v.Text("namespaceDesc")
	if v.Err() != nil {
		return api.Answer{}, v.Err()
	}
	return api.Answer{Data: true}, a.create(r.Context(), strings.TrimSpace(id), name, desc)
}

func (a *API) updateNamespace(r *api.Request) (api.Answer, error) {
	v := r.Values()
	id, name, desc := v.Need("namespaceId"), v.Need("namespaceName"), v.Text("namespaceDesc")
	if v.Err() != nil {
		return api.Answer{}, v.Err()
	}
	return api.Answer{Data: true}, a.update(r.Context(), id, name, desc)
}

func (a *API) deleteNamespace(r *api.Request) (api.Answer, error) {
	v := r.Values()
	id := v.Need("namespaceId")
	if v.Err() != nil {
		return api.Answer{}, v.Err()
	}
	done, err := a.remove(r.Context(), id)
	return api.Answer{Data: done}, err
}

// checkNamespace counts the namespaces of an id, as v3's admin does: 0 or 1.
func (a *API) checkNamespace(r *api.Request) (api.Answer, error) {
	is, err := a.idTaken(r)
	if is {
		return api.Answer{Data: 1}, err
	}
	return api.Answer{Data: 0}, err
}

func (a *API) namespaceExists(r *api.Request) (api.Answer, error) {
	is, err := a.idTaken(r)
	return api.Answer{Data: is}, err
}

func (a *API) idTaken(r *api.Request) (bool, error) {
	v := r.Values()
	id := v.Need("customNamespaceId", "namespaceId")
	if v.Err() != nil {
		return false, v.Err()
	}
	return a.exists(r.Context(), id)
}

// newUUID is a random UUID (RFC 9562, version 4), as Nacos names namespaces.
func newUUID() string {
	var u [16]byte
	_, _ = rand.Read(u[:]) // never fails
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:])
}
