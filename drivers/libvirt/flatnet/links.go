//go:build linux

package flatnet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/troupe-cloud/troupe/messages"
)

// bridgeMAC is the gateway's. It must be given: a bridge without one of its own
// takes a new one whenever a port comes or goes, and forgets whom it has pinned.
const bridgeMAC = "02:74:72:6f:75:70"

// makeLinks makes true what is not yet: namespace, bridge, addresses.
func (n *Network) makeLinks(ctx context.Context) error {
	ns, br := n.cfg.Namespace, n.cfg.Bridge
	if _, err := os.Stat(nsPath(ns)); errors.Is(err, os.ErrNotExist) {
		if err := run(ctx, "ip", "netns", "add", ns); err != nil {
			return err
		}
	}
	if err := n.ip(ctx, "link", "set", "lo", "up"); err != nil {
		return err
	}
	if n.ip(ctx, "link", "show", "dev", br) != nil {
		if err := n.ip(ctx, "link", "add", br, "address", bridgeMAC, "type", "bridge", "stp_state", "0", "forward_delay", "0"); err != nil {
			return err
		}
	}
	if err := n.ip(ctx, "link", "set", br, "mtu", strconv.Itoa(n.cfg.MTU)); err != nil {
		return err
	}
	if err := n.setAddresses(ctx); err != nil {
		return err
	}
	if err := n.ip(ctx, "link", "set", br, "up"); err != nil {
		return err
	}
	return inNamespace(ns, n.closeDoors)
}

// setAddresses gives the bridge its two addresses, and takes others from it: the
// subnet may have been another one when an earlier process made the bridge.
func (n *Network) setAddresses(ctx context.Context) error {
	want := map[string]bool{
		n.cfg.Gateway.String() + "/" + strconv.Itoa(n.cfg.CIDR.Bits()): true,
		MetadataAddress + "/32": true,
	}
	have, err := n.addresses(ctx)
	if err != nil {
		return err
	}
	for _, a := range have {
		if want[a] {
			delete(want, a)
		} else if err := n.ip(ctx, "addr", "del", a, "dev", n.cfg.Bridge); err != nil {
			return err
		}
	}
	for a := range want {
		if err := n.ip(ctx, "addr", "add", a, "dev", n.cfg.Bridge); err != nil {
			return err
		}
	}
	return nil
}

func (n *Network) addresses(ctx context.Context) (all []string, err error) {
	out, err := output(ctx, "ip", "-n", n.cfg.Namespace, "-4", "-j", "addr", "show", "dev", n.cfg.Bridge)
	if err != nil {
		return nil, err
	}
	var links []struct {
		Addresses []struct {
			Local  string `json:"local"`
			Length int    `json:"prefixlen"`
		} `json:"addr_info"`
	}
	if err := json.Unmarshal(out, &links); err != nil {
		return nil, fmt.Errorf("addresses of %s: %w", n.cfg.Bridge, err)
	}
	for _, l := range links {
		for _, a := range l.Addresses {
			all = append(all, fmt.Sprintf("%s/%d", a.Local, a.Length))
		}
	}
	return all, nil
}

// closeDoors makes sure that the namespace forwards nothing and that guests meet
// no address of it but those two. It runs inside the namespace, where
// /proc/thread-self/net is that namespace's; /proc/sys follows the thread too.
func (n *Network) closeDoors() error {
	for file, value := range map[string]string{
		"ipv4/ip_forward": "0",
		"ipv4/conf/" + n.cfg.Bridge + "/accept_redirects": "0",
		"ipv6/conf/all/forwarding":                        "0",
		"ipv6/conf/" + n.cfg.Bridge + "/disable_ipv6":     "1",
	} {
		err := os.WriteFile("/proc/sys/net/"+file, []byte(value), 0)
		if err != nil && !(errors.Is(err, os.ErrNotExist) && strings.HasPrefix(file, "ipv6")) { // a kernel without IPv6 is safe
			return fmt.Errorf("network %s: %w", n.cfg.Namespace, err)
		}
	}
	return nil
}

func (n *Network) ip(ctx context.Context, args ...string) error {
	return run(ctx, "ip", append([]string{"-n", n.cfg.Namespace}, args...)...)
}

func nsPath(name string) string { return filepath.Join("/run/netns", name) }

func run(ctx context.Context, name string, args ...string) error {
	_, err := output(ctx, name, args...)
	return err
}

func output(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = []string{"LC_ALL=C", "PATH=" + searchPath()}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s: %w: %w", name, ctx.Err(), messages.Unavailable)
	case errors.Is(err, exec.ErrNotFound):
		return nil, fmt.Errorf("%s is not installed: %w", name, messages.Unavailable)
	case err != nil:
		return nil, fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}

// searchPath has the folders of system programs, which a user's may lack.
func searchPath() string { return os.Getenv("PATH") + ":/usr/sbin:/sbin" }

// sameNamespace says whether a process is in the namespace.
func sameNamespace(pid int, name string) bool {
	var a, b unix.Stat_t
	return unix.Stat(fmt.Sprintf("/proc/%d/ns/net", pid), &a) == nil &&
		unix.Stat(nsPath(name), &b) == nil && a.Ino == b.Ino && a.Dev == b.Dev
}
