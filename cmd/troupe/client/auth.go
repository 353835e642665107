package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/config"
	"github.com/gophercloud/gophercloud/v2/openstack/config/clouds"
)

// What `troupe dev` writes, and where `make run` puts it.
const (
	ownCloud = "troupe"
	ownFile  = "run/clouds.yaml"
)

// loginTimeout limits the requests that get a token.
const loginTimeout = 30 * time.Second

// connect logs in once.
func (a *app) connect(ctx context.Context) error {
	if a.provider != nil {
		return nil
	}
	auth, endpoint, tlsConfig, err := a.credentials()
	if err != nil {
		return usage(err)
	}
	auth.AllowReauth = true
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	p, err := newProvider(ctx, auth, tlsConfig)
	if err != nil {
		return fmt.Errorf("log in at %s: %w", auth.IdentityEndpoint, err)
	}
	p.UserAgent.Prepend("troupe")
	a.provider, a.endpoint = p, endpoint
	return nil
}

func newProvider(ctx context.Context, auth gophercloud.AuthOptions, t *tls.Config) (*gophercloud.ProviderClient, error) {
	if t == nil {
		return config.NewProviderClient(ctx, auth)
	}
	return config.NewProviderClient(ctx, auth, config.WithTLSConfig(t))
}

// credentials finds who we are, in this order: --os-cloud or OS_CLOUD in a
// clouds.yaml; the OS_* variables of an openrc; run/clouds.yaml below the current
// folder, which is what `make run` leaves.
func (a *app) credentials() (gophercloud.AuthOptions, gophercloud.EndpointOpts, *tls.Config, error) {
	cloud := first(a.cloud, os.Getenv("OS_CLOUD"))
	if cloud == "" && a.configFile == "" && os.Getenv("OS_AUTH_URL") != "" {
		auth, endpoint, err := fromEnvironment()
		return auth, endpoint, nil, err
	}
	files := []string{first(a.configFile, os.Getenv("OS_CLIENT_CONFIG_FILE"))}
	if files[0] == "" {
		files = []string{"clouds.yaml", ownFile}
		if home, err := os.UserConfigDir(); err == nil {
			files = append(files, filepath.Join(home, "openstack", "clouds.yaml"))
		}
		files = append(files, "/etc/openstack/clouds.yaml")
	}
	for _, file := range files {
		if _, err := os.Stat(file); err != nil {
			continue
		}
		auth, endpoint, t, err := clouds.Parse(
			clouds.WithCloudName(first(cloud, ownCloud)), clouds.WithLocations(file))
		if err != nil {
			return auth, endpoint, t, fmt.Errorf("%s: %w", file, err)
		}
		return auth, endpoint, t, nil
	}
	return gophercloud.AuthOptions{}, gophercloud.EndpointOpts{}, nil, fmt.Errorf(
		"no cloud to talk to: set OS_CLOUD or --os-cloud, or source an openrc (looked for %v)", files)
}

// fromEnvironment reads the variables that an openrc exports.
func fromEnvironment() (gophercloud.AuthOptions, gophercloud.EndpointOpts, error) {
	env := os.Getenv
	auth := gophercloud.AuthOptions{
		IdentityEndpoint:            env("OS_AUTH_URL"),
		TokenID:                     env("OS_TOKEN"),
		ApplicationCredentialID:     env("OS_APPLICATION_CREDENTIAL_ID"),
		ApplicationCredentialName:   env("OS_APPLICATION_CREDENTIAL_NAME"),
		ApplicationCredentialSecret: env("OS_APPLICATION_CREDENTIAL_SECRET"),
	}
	endpoint := gophercloud.EndpointOpts{Region: env("OS_REGION_NAME")}
	switch env("OS_INTERFACE") {
	case "internal":
		endpoint.Availability = gophercloud.AvailabilityInternal
	case "admin":
		endpoint.Availability = gophercloud.AvailabilityAdmin
	}
	if auth.ApplicationCredentialID != "" {
		return auth, endpoint, nil
	}
	if auth.TokenID == "" {
		auth.Username, auth.UserID, auth.Password = env("OS_USERNAME"), env("OS_USER_ID"), env("OS_PASSWORD")
		auth.DomainID, auth.DomainName = env("OS_USER_DOMAIN_ID"), env("OS_USER_DOMAIN_NAME")
		if auth.UserID != "" || auth.DomainID != "" {
			auth.DomainName = ""
		}
		if auth.UserID != "" {
			auth.Username, auth.DomainID = "", ""
		}
		if auth.Username == "" && auth.UserID == "" {
			return auth, endpoint, errors.New("OS_AUTH_URL is set but OS_USERNAME is not")
		}
		if auth.Password == "" && auth.ApplicationCredentialName == "" {
			return auth, endpoint, errors.New("OS_AUTH_URL is set but OS_PASSWORD is not")
		}
	}
	if auth.ApplicationCredentialName == "" {
		auth.Scope = projectScope()
	}
	return auth, endpoint, nil
}

func projectScope() *gophercloud.AuthScope {
	if id := os.Getenv("OS_PROJECT_ID"); id != "" {
		return &gophercloud.AuthScope{ProjectID: id}
	}
	if name := os.Getenv("OS_PROJECT_NAME"); name != "" {
		s := &gophercloud.AuthScope{ProjectName: name, DomainID: os.Getenv("OS_PROJECT_DOMAIN_ID")}
		if s.DomainID == "" {
			s.DomainName = first(os.Getenv("OS_PROJECT_DOMAIN_NAME"), "Default")
		}
		return s
	}
	return nil
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
