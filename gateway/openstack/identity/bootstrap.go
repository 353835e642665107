package identity

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors/directory"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/messages"
)

// Setup is what the first administrator and the files about him are made of.
type Setup struct {
	Client         cluster.Asker
	Dir            string // where the files go; must exist
	BaseURL        string // scheme://host:port that clients reach us at
	ComputeVersion string // the newest compute microversion of this cloud, e.g. "2.93"
	RegistryURL    string // scheme://host:port of the registry; "": there is none
	Region         string // "": DefaultRegion
	HashCost       int    // of bcrypt; 0: DefaultHashCost

	// Shared keeps the administrator's credentials for all gateways of a cluster,
	// which start at the same moment or years later. Nil: the file in Dir does.
	Shared KeyStore
}

// Credentials are the administrator's, as credentials.json holds them.
type Credentials struct {
	AuthURL     string `json:"auth_url"`
	UserName    string `json:"username"`
	Password    string `json:"password"`
	ProjectName string `json:"project_name"`
	DomainID    string `json:"domain_id"`
	UserID      string `json:"user_id"`
	ProjectID   string `json:"project_id"`
	Region      string `json:"region"`
	RegistryURL string `json:"registry_url,omitempty"`
}

// adminName is the name of the first user and of its project.
const adminName = "admin"

const passwordBytes = 24 // of randomness

// ErrLost means that the cloud has its administrator but the file with the
// password is gone or another cloud's. Nobody can tell the password any more;
// ResetAdmin makes a new one.
var ErrLost = errors.New("the administrator's password is lost")

// Bootstrap makes the administrator on the first start, and sees to it that
// credentials.json, openrc and clouds.yaml in Dir say how to log in. The
// password is on disk before it is in force, so a crash in between loses
// nothing. Later starts write openrc and clouds.yaml again where the address
// has changed. The error may be ErrLost, with a sentence about the way out.
func Bootstrap(ctx context.Context, s Setup) (*Credentials, error) {
	have, err := s.have(ctx)
	if err != nil {
		return nil, err
	}
	is, err := cluster.Ask[*messages.BootstrapView](ctx, s.Client, directory.Ref, &messages.GetBootstrap{})
	switch {
	case err == nil && (have == nil || have.UserID != is.UserId):
		return nil, fmt.Errorf("%w: this cloud has an administrator, but %s is missing or belongs to another cloud. "+
			"Put the file back, or set a new password with: troupe admin reset-password", ErrLost, filepath.Join(s.Dir, credentialsFile))
	case err == nil:
		return s.write(have)
	case !errors.Is(err, messages.NotFound):
		return nil, fmt.Errorf("look for the administrator: %w", err)
	}
	if have == nil { // else an earlier start got as far as the file
		have = &Credentials{UserName: adminName, ProjectName: adminName, UserID: newID(), ProjectID: newID(), Password: newPassword()}
	}
	if have, err = s.share(ctx, have); err != nil {
		return nil, err
	}
	if have, err = s.write(have); err != nil {
		return nil, err
	}
	return have, s.found(ctx, have)
}

// found asks the directory to make what c says.
func (s Setup) found(ctx context.Context, c *Credentials) error {
	h, err := newHasher(s.HashCost)
	if err != nil {
		return err
	}
	hash, err := h.hash(ctx, c.Password)
	if err != nil {
		return err
	}
	m := &messages.BootstrapDirectory{UserId: c.UserID, UserName: c.UserName, PasswordHash: hash, ProjectId: c.ProjectID, ProjectName: c.ProjectName}
	for _, name := range []string{directory.Admin, directory.Member, directory.Reader} {
		m.Roles = append(m.Roles, &messages.Role{Id: newID(), Name: name})
	}
	_, err = s.Client.Ask(cluster.WithRequest(ctx, "bootstrap-"+newID()), directory.Ref, m)
	if err != nil {
		return fmt.Errorf("make the administrator: %w", err)
	}
	return nil
}

// ResetAdmin gives the first administrator a new random password, enables the
// account, ends its tokens and writes the files anew. Whoever can call it has the data
// directory, and with it everything.
func ResetAdmin(ctx context.Context, s Setup) (*Credentials, error) {
	is, err := cluster.Ask[*messages.BootstrapView](ctx, s.Client, directory.Ref, &messages.GetBootstrap{})
	if err != nil {
		return nil, fmt.Errorf("look for the administrator: %w", err)
	}
	users, err := cluster.Ask[*messages.UsersView](ctx, s.Client, directory.Ref, &messages.GetUsers{Id: is.UserId})
	if err != nil {
		return nil, err
	}
	projects, err := cluster.Ask[*messages.IdentityProjectsView](ctx, s.Client, directory.Ref, &messages.GetProjects{Id: is.ProjectId})
	if err != nil {
		return nil, err
	}
	if len(users.Users) == 0 || len(projects.Projects) == 0 {
		return nil, fmt.Errorf("the first administrator or its project has been deleted: %w", messages.NotFound)
	}
	c := &Credentials{UserID: is.UserId, UserName: users.Users[0].Name, ProjectID: is.ProjectId, ProjectName: projects.Projects[0].Name, Password: newPassword()}
	h, err := newHasher(s.HashCost)
	if err != nil {
		return nil, err
	}
	hash, err := h.hash(ctx, c.Password)
	if err != nil {
		return nil, err
	}
	m := &messages.UpdateUser{Id: is.UserId, PasswordHash: &hash, Enabled: proto.Bool(true)}
	if _, err := s.Client.Ask(cluster.WithRequest(ctx, "reset-"+newID()), directory.Ref, m); err != nil {
		return nil, fmt.Errorf("set the administrator's password: %w", err)
	}
	if err := s.reshare(ctx, c); err != nil {
		return nil, err
	}
	return s.write(c)
}

func newPassword() string { return base64.RawURLEncoding.EncodeToString(random(passwordBytes)) }

// BaseURL is the Setup's that these were written under.
func (c *Credentials) BaseURL() string { return strings.TrimSuffix(c.AuthURL, authPath) }

// ReadCredentials reads credentials.json in dir. The error is fs.ErrNotExist where
// there is none.
func ReadCredentials(dir string) (*Credentials, error) {
	path := filepath.Join(dir, credentialsFile)
	raw, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	return parseCredentials(path, raw)
}

func parseCredentials(where string, raw []byte) (*Credentials, error) {
	c := &Credentials{}
	if err := json.Unmarshal(raw, c); err != nil || c.UserID == "" || c.Password == "" {
		return nil, fmt.Errorf("%s is damaged: %w", where, errors.Join(err, messages.Invalid))
	}
	return c, nil
}
