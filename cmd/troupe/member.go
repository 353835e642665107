package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/images"
	"github.com/troupe-cloud/troupe/cluster/membership"
	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/pki"
	"github.com/troupe-cloud/troupe/cluster/store/consul"
	"github.com/troupe-cloud/troupe/cluster/store/copy"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/drivers/blobs"
	"github.com/troupe-cloud/troupe/gateway/native"
	"github.com/troupe-cloud/troupe/gateway/openstack/identity"
	"github.com/troupe-cloud/troupe/gateway/openstack/image"
	"github.com/troupe-cloud/troupe/messages"
)

// member is what a node of several has beside what every cloud has.
type member struct {
	config     nodeConfig
	roles      view.Role
	consul     consul.Config
	db         *consul.Store
	table      *membership.Consul
	identity   *nodeIdentity
	images     *images.Images
	connection atomic.Pointer[cluster.Connection] // nil until this node is a member
}

const (
	// joinTimeout is how long a node tries to become a member: as long as Consul
	// may keep the registration of an earlier start that died elsewhere.
	joinTimeout = 45 * time.Second
	consulPause = 500 * time.Millisecond // between tries to open what Consul holds
	lockFile    = "lock"
)

// startMember starts one node of a cluster.
func startMember(ctx context.Context, config nodeConfig, log zerolog.Logger) (*cloud, error) {
	m := &member{config: config, roles: config.roles, consul: config.consul}
	c := &cloud{config: config.cloudConfig, log: log, failed: make(chan error, 1), told: make(chan struct{}, 1), member: m, release: func() error { return nil }}
	parts := []part{}
	when := func(role view.Role, what string, start func(context.Context) error) {
		if m.roles.Has(role) {
			parts = append(parts, part{what, start})
		}
	}
	when(view.Gateway, "listen", c.bind)
	when(view.Gateway, "registry", c.bindRegistry)
	when(0, "data folder", c.openFolder)
	when(0, "Consul", c.openConsul)
	when(0, "identity", c.openIdentity)
	when(0, "images", c.openImages)
	when(0, "cluster", c.connect)
	when(0, "runtime", c.startMemberNode)
	when(view.Gateway, "first start", c.furnish)
	when(view.Compute, "hypervisors", c.attachHosts)
	when(0, "profiler", c.profile)
	when(view.Gateway, "HTTP", c.serve)
	when(view.Gateway, "registry", c.serveRegistry)
	return c, c.start(ctx, parts)
}

// openFolder makes the data folder this process' own.
func (c *cloud) openFolder(context.Context) error {
	if err := os.MkdirAll(c.config.Data, 0o711); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(c.config.Data, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return errors.Join(fmt.Errorf("--data %s is in use by another process: %w", c.config.Data, err), f.Close())
	}
	c.onStop("data folder", func(context.Context) error { return f.Close() })
	return nil
}

func (c *cloud) openConsul(ctx context.Context) (err error) {
	m := c.member
	m.consul.Writer = m.config.Name
	if m.db, err = m.patientConsul(ctx, c.log); err != nil {
		return err
	}
	c.store = m.db
	c.onStop("store", func(context.Context) error { return m.db.Close() })
	if err := copy.Unfinished(ctx, m.db); err != nil {
		return err
	}
	if m.table, err = membership.NewConsul(membership.ConsulConfig{Config: m.consul, Log: c.log}); err != nil {
		return err
	}
	c.onStop("member table", func(context.Context) error { m.table.Close(); return nil })
	return nil
}

// patientConsul goes on for a while where a Consul is that does not answer yet: its
// servers may just be electing a leader. Where nobody listens there is none.
func (m *member) patientConsul(ctx context.Context, log zerolog.Logger) (*consul.Store, error) {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	for {
		db, err := consul.Open(ctx, m.consul)
		var op *net.OpError
		if err == nil || !errors.Is(err, messages.Unavailable) || errors.As(err, &op) && op.Op == "dial" || ctx.Err() != nil {
			return db, err
		}
		log.Warn().Err(err).Msg("Consul does not answer yet")
		select {
		case <-time.After(consulPause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// openIdentity finds out who this node is in the cluster; with a token, it is
// admitted first.
func (c *cloud) openIdentity(ctx context.Context) (err error) {
	m := c.member
	m.identity, err = openIdentity(ctx, c.config.Data, m.config.Name, m.config.Roles, m.config.Join, c.log)
	if err != nil {
		return err
	}
	if err := m.identity.attach(ctx, m.db, m.live, c.log); err != nil {
		return err
	}
	if m.identity.vault != nil {
		c.keys = m.identity.vault.Secret(tokenKeysSecret)
	}
	return nil
}

// live says whether a member has that name.
func (m *member) live(ctx context.Context, name string) (bool, error) {
	v, err := m.table.Read(ctx)
	if err != nil {
		return false, err
	}
	_, found := v.ByName(name)
	return found, nil
}

// sharedAdmin is where the gateways of a cluster keep the administrator's
// credentials; nil in a cloud of one process.
func (c *cloud) sharedAdmin() identity.KeyStore {
	if c.member == nil {
		return nil
	}
	return c.member.identity.vault.Secret(credentialsSecret)
}

// openImages opens the contents of images, here and at the others.
func (c *cloud) openImages(ctx context.Context) error {
	m := c.member
	local, err := blobs.Open(filepath.Join(c.config.Data, imagesDir))
	if err != nil {
		return err
	}
	shared, err := m.config.Images.open(ctx, m.identity.source.Cluster(), m.db)
	if err != nil {
		return err
	}
	m.images, err = images.Open(images.Config{
		Local: local, Self: m.config.Name, View: m.view, Conn: m.conn, Authorize: onlyMembers, Log: c.log,
		Shared: shared, Limits: m.config.Images.limits(),
		Wanted: func(ctx context.Context, sha256 string) (bool, error) {
			if c.client == nil {
				return true, nil // not known yet
			}
			return image.Wanted(c.client)(ctx, sha256)
		},
	})
	if err != nil {
		return err
	}
	c.blobs = m.images
	c.onStop("images", func(context.Context) error { m.images.Close(); return nil })
	return nil
}

func (m *member) view() *view.View {
	if c := m.connection.Load(); c != nil {
		return c.View()
	}
	return nil
}

func (m *member) conn(to view.Member) (*grpc.ClientConn, error) {
	if c := m.connection.Load(); c != nil {
		return c.Server().Conn(to)
	}
	return nil, fmt.Errorf("this node is no member yet: %w", messages.Unavailable)
}

// onlyMembers refuses whoever has no certificate of a node.
func onlyMembers(ctx context.Context) error {
	if who, ok := peer.IdentityOf(ctx); !ok || who.Role != peer.RoleNode {
		return fmt.Errorf("only nodes of the cluster may do this: %w", messages.Denied)
	}
	return nil
}

// connect makes this node a member.
func (c *cloud) connect(ctx context.Context) error {
	m := c.member
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	services := []func(grpc.ServiceRegistrar){m.images.Register}
	if a := m.identity.authority; a != nil {
		services = append(services, func(r grpc.ServiceRegistrar) { pki.RegisterJoin(r, a) })
	}
	connection, err := cluster.Connect(ctx, peer.Config{
		Cluster: m.identity.source.Cluster(), Bind: m.config.Bind, TLS: m.identity.source, Register: services, Log: c.log,
	}, membership.Config{
		Table: m.table, Log: c.log,
		Self: view.Member{Name: m.config.Name, Address: m.config.Advertise, API: c.url, Roles: m.roles, Version: version, Protocol: m.config.Protocol},
	})
	if err != nil {
		return err
	}
	m.connection.Store(connection)
	m.db.SetFence(connection.Fence)
	c.onStop("cluster", connection.Close)
	c.background("certificates", func(ctx context.Context) {
		m.identity.source.Keep(ctx, m.identity.renewers(m.renewElsewhere)...)
	})
	return nil
}

// renewElsewhere has another node renew this one's certificate.
func (m *member) renewElsewhere(ctx context.Context, csr []byte) (*messages.IssuedCertificate, error) {
	var all []error
	for _, other := range m.view().Members {
		if other.Name == m.config.Name || other.Roles&(view.Gateway|view.Control) == 0 {
			continue
		}
		conn, err := m.conn(other)
		if err == nil {
			issued, err := pki.RenewOver(conn)(ctx, csr)
			if err == nil {
				return issued, nil
			}
		}
		all = append(all, fmt.Errorf("%s: %w", other.Name, err))
	}
	return nil, fmt.Errorf("no node renews the certificate: %w", errors.Join(append(all, messages.Unavailable)...))
}

func (c *cloud) startMemberNode(ctx context.Context) error {
	m := c.member
	connection := m.connection.Load()
	if err := c.runNode(ctx, cluster.Config{Name: m.config.Name, Network: connection, OnLeave: c.leave}); err != nil {
		return err
	}
	c.node.ServeClients(native.New(c.client))
	c.background("members", func(ctx context.Context) {
		for {
			_, changed := connection.Stable()
			m.images.ViewChanged()
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	})
	return nil
}

// leaveTimeout bounds what a node that leaves for good does for the others: the
// contents of images that it keeps are copied elsewhere.
const leaveTimeout = 10 * time.Minute

// leave has this process hand over what only it keeps, and end in order.
func (c *cloud) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	err := c.node.Drain(ctx)
	if err = errors.Join(err, c.member.images.Drain(ctx)); err != nil {
		c.log.Warn().Err(err).Msg("not everything was handed over")
	}
	select {
	case c.told <- struct{}{}:
	default:
	}
}

// background runs work until the cloud stops.
func (c *cloud) background(what string, work func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		work(ctx)
	}()
	c.onStop(what, func(context.Context) error {
		cancel()
		<-done
		return nil
	})
}
