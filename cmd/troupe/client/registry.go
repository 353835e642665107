package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/troupe-cloud/troupe/cmd/troupe/nacos"
)

// Where a cloud has its registry, if nobody says where: on this machine, or on that
// of its identity service.
const (
	defaultServer = "http://127.0.0.1:" + defaultPort
	defaultPort   = "8848"
)

// registryApp is what the commands of the registry and the configuration share.
type registryApp struct {
	app
	server, username, password, data string
	namespace, group                 string
}

// addRegistry puts the commands of the registry below root.
func addRegistry(root *cobra.Command) {
	r := &registryApp{}
	for _, c := range []*cobra.Command{r.configCommand(), r.serviceCommand()} {
		c.GroupID = "client"
		r.flags(c.PersistentFlags())
		root.AddCommand(c)
	}
	m := &registryApp{}
	migrate := m.migrateCommand()
	migrate.GroupID = "client"
	root.AddCommand(migrate)
}

func (r *registryApp) flags(f *pflag.FlagSet) {
	r.serverFlags(f)
	f.StringVarP(&r.namespace, "namespace", "n", "public", "id of the namespace")
	f.StringVarP(&r.group, "group", "g", "", "group; in lists an asterisk stands for any text (default DEFAULT_GROUP, in lists all)")
	f.StringVarP(&r.output, "output", "o", formatTable, "form of the output: table, json or yaml")
}

func (r *registryApp) serverFlags(f *pflag.FlagSet) {
	f.StringVar(&r.server, "server", "", "address of the registry (TROUPE_REGISTRY_SERVER; default as below)")
	f.StringVar(&r.username, "username", "", "who logs in (TROUPE_REGISTRY_USERNAME; default as below)")
	f.StringVar(&r.password, "password", "", "the password; better in TROUPE_REGISTRY_PASSWORD, where other users of the machine do not see it")
	f.StringVar(&r.data, "data", "", "folder of a cloud of this machine, whose credentials.json says who logs in (default run)")
}

// credentialsHelp says how a command finds out who logs in.
const credentialsHelp = "Where the registry is, is said by --server or TROUPE_REGISTRY_SERVER, which an openrc of a cloud sets; else by\n" +
	"credentials.json in the folder of --data; else it is on port " + defaultPort + " of the machine that OS_AUTH_URL names; else it is\n" +
	"that of the cloud in run, or " + defaultServer + ".\n\n" +
	"Who logs in is said by flags or variables; else, if the server is on the machine of the cloud that they\n" +
	"are about, by OS_USERNAME and OS_PASSWORD of an openrc, or by credentials.json in the folder of a cloud."

// commands is a group of commands about what the registry keeps; short begins with
// what that is.
func (r *registryApp) commands(name, short string, below ...*cobra.Command) *cobra.Command {
	c := r.app.group(name, short, below...)
	what, _, _ := strings.Cut(short, " ")
	c.Long = what + " of the registry. Every server that speaks Nacos' HTTP API, 1.x to 3.x, will do.\n\n" + credentialsHelp
	for _, b := range below {
		b.PreRunE = r.checkOutput
	}
	return c
}

// registry is a client of the server.
func (r *registryApp) registry() (*nacos.Client, error) {
	server, err := r.address()
	if err != nil {
		return nil, usage(err)
	}
	user, password := first(r.username, os.Getenv("TROUPE_REGISTRY_USERNAME")), first(r.password, os.Getenv("TROUPE_REGISTRY_PASSWORD"))
	if user == "" {
		if user, password, err = r.ownCredentials(server); err != nil {
			return nil, usage(err)
		}
	}
	c, err := nacos.New(nacos.Server{URL: server, Username: user, Password: password})
	if err != nil {
		return nil, usage(err)
	}
	return c, nil
}

// address is where the registry is.
func (r *registryApp) address() (string, error) {
	if said := first(r.server, os.Getenv("TROUPE_REGISTRY_SERVER")); said != "" {
		return said, nil
	}
	if at, err := url.Parse(os.Getenv("OS_AUTH_URL")); r.data == "" && err == nil && at.Hostname() != "" {
		return at.Scheme + "://" + net.JoinHostPort(at.Hostname(), defaultPort), nil
	}
	is, err := r.ownCloud()
	return first(is.Registry, defaultServer), err
}

// ownCloud is what credentials.json of a cloud on this machine says; nothing if there
// is none and none was named.
func (r *registryApp) ownCloud() (is ownCredentials, err error) {
	path := filepath.Join(first(r.data, "run"), "credentials.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		if r.data == "" && errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		return is, err
	}
	if err := json.Unmarshal(raw, &is); err != nil {
		return is, fmt.Errorf("%s: %w", path, err)
	}
	return is, nil
}

// ownCredentials are what a cloud writes into its folder.
type ownCredentials struct {
	AuthURL  string `json:"auth_url"`
	UserName string `json:"username"`
	Password string `json:"password"`
	Registry string `json:"registry_url"`
}

// ownCredentials are those of the cloud that the server belongs to. A password that
// was not given for a server goes to no other machine than its cloud's.
func (r *registryApp) ownCredentials(server string) (user, password string, err error) {
	if at := os.Getenv("OS_AUTH_URL"); r.data == "" && at != "" && os.Getenv("OS_PASSWORD") != "" && sameMachine(at, server) {
		return os.Getenv("OS_USERNAME"), os.Getenv("OS_PASSWORD"), nil
	}
	is, err := r.ownCloud()
	if err != nil {
		return "", "", err
	}
	if r.data == "" && !sameMachine(is.AuthURL, server) {
		return "", "", nil
	}
	return is.UserName, is.Password, nil
}

func sameMachine(a, b string) bool {
	x, errX := url.Parse(a)
	y, errY := url.Parse(b)
	if errX != nil || errY != nil || x.Hostname() == "" {
		return false
	}
	return x.Hostname() == y.Hostname() || loopback(x.Hostname()) && loopback(y.Hostname())
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// key is the config of that data id.
func (r *registryApp) key(dataID string) nacos.Key {
	return nacos.Key{Namespace: r.namespace, Group: first(r.group, "DEFAULT_GROUP"), DataID: dataID}
}

func (r *registryApp) service(name string) nacos.ServiceKey {
	return nacos.ServiceKey{Namespace: r.namespace, Group: first(r.group, "DEFAULT_GROUP"), Name: name}
}

// asked is a command that asks the registry.
func (r *registryApp) asked(do func(cmd *cobra.Command, c *nacos.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := r.registry()
		if err != nil {
			return err
		}
		return do(cmd, c, args)
	}
}

// Limits of lists that are put together of pages.
const (
	listPage     = 100
	defaultLimit = 1000
)

// pagesOf gathers at most limit items, and says how many there are.
func pagesOf[T any](limit int, page func(number, size int) ([]T, int, error)) ([]T, int, error) {
	var all []T
	for number := 1; ; number++ {
		items, total, err := page(number, listPage)
		if err != nil {
			return nil, 0, err
		}
		all = append(all, items...)
		if len(items) == 0 || len(all) >= min(total, limit) {
			return all[:min(len(all), limit)], total, nil
		}
	}
}

// cut short says on standard error that a list is not whole.
func cutShort(cmd *cobra.Command, shown, total int) {
	if shown < total {
		fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d are shown: --limit says how many\n", shown, total)
	}
}

func millis(ms int64) string {
	if ms == 0 {
		return "-"
	}
	return when(time.UnixMilli(ms))
}
