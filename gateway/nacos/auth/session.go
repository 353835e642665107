package auth

import (
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors/access"
	"github.com/troupe-cloud/troupe/actors/directory"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

// session is who somebody is, with what he might do when that was looked at.
type session struct {
	user    *api.User
	claims  claims
	changes uint64
	until   time.Time // believed until then
}

// byToken is the session of a token.
func (a *Auth) byToken(ctx context.Context, raw string) (*session, error) {
	if s := a.remembered(raw); s != nil {
		return s, nil
	}
	if !cluster.Waits(ctx) {
		return nil, cluster.ErrWait
	}
	t, err := parse(raw)
	if err != nil {
		return nil, errToken
	}
	secret, err := a.cfg.Keys.Derived(ctx, t.key, keyPurpose)
	if err != nil {
		return nil, refused(err, errToken)
	}
	c, err := t.claims(secret)
	if err != nil {
		return nil, errToken
	}
	return a.session(ctx, raw, c, errToken)
}

// byPassword is the session of a name and a password. The clients that send them
// with every call would keep a processor busy with hashing: what was right is
// remembered for a while, as a mark that nobody can make a password of.
func (a *Auth) byPassword(ctx context.Context, name, password string) (*session, error) {
	mark := string(mac(a.secret, name+"\x00"+password))
	if s := a.remembered(mark); s != nil {
		return s, nil
	}
	if !cluster.Waits(ctx) {
		return nil, cluster.ErrWait
	}
	c, known := a.proofs.get(mark)
	if !known || a.cfg.Now().Unix() >= c.Expires {
		var err error
		if c, err = a.prove(ctx, mark, name, password); err != nil {
			return nil, err
		}
	}
	s, err := a.session(ctx, mark, c, errNobody)
	if err != nil && known && errors.Is(err, messages.Denied) { // the password was changed, and may have been changed back
		if c, err = a.prove(ctx, mark, name, password); err == nil {
			s, err = a.session(ctx, mark, c, errNobody)
		}
	}
	return s, err
}

// prove checks a password. Calls that come meanwhile with the same one wait for it.
func (a *Auth) prove(ctx context.Context, mark, name, password string) (claims, error) {
	got, err := a.once(ctx, "prove "+mark, func(ctx context.Context) (any, error) {
		begun := a.cfg.Now()
		id, err := a.cfg.Identity.CheckPassword(ctx, name, password)
		if err != nil {
			return nil, refused(err, errNobody)
		}
		c := newClaims(name, id, begun, proofLife)
		a.proofs.put(mark, c)
		return c, nil
	})
	if err != nil {
		return claims{}, err
	}
	return got.(claims), nil
}

// once has work done once for all who want it at the same time. The end of the
// first one's request must not be the others', so it has a deadline of its own.
func (a *Auth) once(ctx context.Context, key string, work func(context.Context) (any, error)) (any, error) {
	done := a.flight.DoChan(key, func() (any, error) {
		// Each is a login of its own, whatever request it began with.
		ctx, cancel := context.WithTimeout(cluster.WithRequest(context.WithoutCancel(ctx), ""), checkTimeout)
		defer cancel()
		return work(ctx)
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-done:
		return r.Val, r.Err
	}
}

// refused is err, or instead of if it says that somebody is not who he says.
func refused(err, instead error) error {
	if errors.Is(err, messages.Denied) || errors.Is(err, messages.NotFound) || errors.Is(err, messages.Invalid) {
		return instead
	}
	return err
}

// remembered is the session under key, if it may still be believed.
func (a *Auth) remembered(key string) *session {
	s, ok := a.sessions.get(key)
	if !ok || s.changes != a.changes.Load() || !a.cfg.Now().Before(s.until) {
		return nil
	}
	return s
}

// session asks what c stands for now.
func (a *Auth) session(ctx context.Context, key string, c claims, no error) (*session, error) {
	now := a.cfg.Now()
	if now.Unix() >= c.Expires {
		return nil, errEnded
	}
	got, err := a.once(ctx, "check "+key, func(ctx context.Context) (any, error) {
		changes := a.changes.Load() // before asking: a change meanwhile makes the answer old
		user, err := a.rights(ctx, c)
		if err != nil {
			return nil, refused(err, no)
		}
		s := &session{user: user, claims: c, changes: changes, until: now.Add(a.cfg.Recheck)}
		if end := time.Unix(c.Expires, 0); end.Before(s.until) {
			s.until = end
		}
		a.sessions.put(key, s)
		return s, nil
	})
	if err != nil {
		return nil, err
	}
	return got.(*session), nil
}

// rights asks whether c still holds, and what its user may do.
func (a *Auth) rights(ctx context.Context, c claims) (*api.User, error) {
	m := &messages.GetAccess{UserId: c.UserID, AuditId: c.ID, KeyId: c.key, IssuedAt: c.Nanos}
	view, admin, err := a.administers(ctx, m)
	if err != nil {
		return nil, err
	}
	if admin {
		return api.NewUser(view.User.Name, true, nil), nil
	}
	may, err := cluster.Ask[*messages.RegistryAccess](ctx, a.cfg.Client, access.Ref, &messages.GetRegistryAccess{User: view.User.Name})
	if err != nil {
		return nil, err
	}
	admin = slices.ContainsFunc(may.Roles, func(r *messages.RegistryRole) bool { return r.Role == access.Admin })
	return api.NewUser(view.User.Name, admin, func(r api.Resource, to api.Action) bool {
		return access.Allows(may.Permissions, access.Resource{Namespace: r.Namespace, Group: r.Group, Type: r.Type, Name: r.Name}, string(to))
	}), nil
}

// administers says whether the user is an administrator of the cloud: one on the
// project of its first one. The same user is asked about without a project if not.
func (a *Auth) administers(ctx context.Context, m *messages.GetAccess) (*messages.AccessView, bool, error) {
	project, err := a.adminProject(ctx)
	if err == nil {
		scoped := proto.CloneOf(m)
		scoped.Scope = &messages.ScopeRef{ProjectId: project}
		view, err := cluster.Ask[*messages.AccessView](ctx, a.cfg.Client, directory.Ref, scoped)
		if err == nil && slices.ContainsFunc(view.Roles, func(r *messages.Role) bool { return r.Name == directory.Admin }) {
			return view, true, nil
		}
		if err != nil && !errors.Is(err, messages.Denied) {
			return nil, false, err
		}
	} else if !errors.Is(err, messages.NotFound) {
		return nil, false, err
	}
	view, err := cluster.Ask[*messages.AccessView](ctx, a.cfg.Client, directory.Ref, m)
	return view, false, err
}

// adminProject is the project of the first administrator; NotFound before there is one.
func (a *Auth) adminProject(ctx context.Context) (string, error) {
	if id := a.project.Load(); id != nil {
		return *id, nil
	}
	v, err := cluster.Ask[*messages.BootstrapView](ctx, a.cfg.Client, directory.Ref, &messages.GetBootstrap{})
	if err != nil {
		return "", err
	}
	a.project.Store(&v.ProjectId)
	return v.ProjectId, nil
}
