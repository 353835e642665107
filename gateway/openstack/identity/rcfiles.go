package identity

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/troupe-cloud/troupe/actors/directory"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages/durable"
)

// The files that tell people and programs how to log in.
const (
	credentialsFile = "credentials.json"
	openrcFile      = "openrc"
	cloudsFile      = "clouds.yaml"

	// CloudName is what clouds.yaml calls this cloud.
	CloudName = "troupe"
)

// authPath is where below the BaseURL people log in.
const authPath = Prefix + "/v3"

// clientVersion is the newest compute microversion that the files ask for.
// Clients refuse to start when told of one that they do not know (the
// python-openstackclient of Debian 12 knows 2.90), and from 2.92 on the server
// makes no key pairs, which the same client still relies on.
var clientVersion = api.Version{Major: 2, Minor: 90}

// computeVersion is the newest one that both sides know.
func (s Setup) computeVersion() string {
	v, err := api.ParseVersion(s.ComputeVersion)
	if err != nil || v.AtLeast(clientVersion.Minor) {
		return clientVersion.String()
	}
	return v.String()
}

// write brings the three files up to date and returns what they say.
func (s Setup) write(c *Credentials) (*Credentials, error) {
	c.AuthURL = strings.TrimRight(s.BaseURL, "/") + authPath
	c.DomainID, c.Region, c.RegistryURL = directory.DefaultDomainID, s.Region, s.RegistryURL
	if c.Region == "" {
		c.Region = DefaultRegion
	}
	raw, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", credentialsFile, err)
	}
	clouds, err := s.clouds(c)
	if err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name    string
		content []byte
	}{{credentialsFile, append(raw, '\n')}, {openrcFile, s.openrc(c)}, {cloudsFile, clouds}} {
		path := filepath.Join(s.Dir, f.name)
		if old, err := readPrivate(path); err == nil && bytes.Equal(old, f.content) {
			continue
		}
		if err := durable.Replace(path, f.content, privateMode); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// openrc is for a shell to source.
func (s Setup) openrc(c *Credentials) []byte {
	var b strings.Builder
	b.WriteString("# How to reach this cloud as its administrator: . openrc\n")
	all := [][2]string{
		{"OS_AUTH_URL", c.AuthURL}, {"OS_USERNAME", c.UserName}, {"OS_PASSWORD", c.Password},
		{"OS_PROJECT_NAME", c.ProjectName}, {"OS_USER_DOMAIN_ID", c.DomainID}, {"OS_PROJECT_DOMAIN_ID", c.DomainID},
		{"OS_REGION_NAME", c.Region}, {"OS_IDENTITY_API_VERSION", "3"}, {"OS_COMPUTE_API_VERSION", s.computeVersion()},
	}
	if c.RegistryURL != "" {
		all = append(all, [2]string{"TROUPE_REGISTRY_SERVER", c.RegistryURL}) // for troupe's own commands
	}
	for _, v := range all {
		fmt.Fprintf(&b, "export %s=%s\n", v[0], quote(v[1]))
	}
	return []byte(b.String())
}

// quote makes s one word of a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// clouds is for openstacksdk and all that stands on it.
func (s Setup) clouds(c *Credentials) ([]byte, error) {
	raw, err := yaml.Marshal(object{"clouds": object{CloudName: object{
		"auth": object{"auth_url": c.AuthURL, "username": c.UserName, "password": c.Password, "project_name": c.ProjectName,
			"user_domain_id": c.DomainID, "project_domain_id": c.DomainID},
		"region_name": c.Region, "identity_api_version": "3", "compute_api_version": s.computeVersion(),
	}}})
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", cloudsFile, err)
	}
	return raw, nil
}
