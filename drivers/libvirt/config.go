// Package libvirt owns the way to a real hypervisor: libvirt with QEMU. It makes
// disks, config drives and domain definitions, tells of what happens to domains,
// and holds the order numbers in their metadata. It never touches a domain whose
// metadata does not say that Troupe made it, and it decides nothing: what should
// run is the host's affair.
package libvirt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"syscall"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

// Config describes one hypervisor. URI, Dir and Images are required.
type Config struct {
	URI     string         // e.g. qemu+unix:///system?socket=PATH
	Dir     string         // one folder an instance: disk, config drive, console log. One hypervisor only, unless Shared.
	Shared  bool           // other hosts reach Dir too, at the same path; then Name must be set
	Images  drivers.Images // where the content of images comes from
	Network Network        // nil: instances with network interfaces are refused
	Name    string         // hypervisor host name; default: what libvirt says
	HostIP  string         // as the inventory tells it; default 127.0.0.1
	Log     zerolog.Logger

	// SocketDir has the VNC sockets; default: the instance's folder, or where that
	// is too long for a socket, /run/troupe/HASH.
	SocketDir string
}

// Network is what the driver asks of the network its guests hang on. Package
// flatnet has one.
type Network interface {
	Bridge() string
	// Add makes the network know the guest, so that it gets its addresses.
	Add(ctx context.Context, instanceID string, leases []drivers.Lease) error
	// Plug ties a guest's device on the bridge to the guest's MAC. It is called
	// each time the guest was started.
	Plug(ctx context.Context, device, mac string) error
	// Remove forgets it; an unknown one is success.
	Remove(ctx context.Context, instanceID string) error
}

// maxSocketPath is the length in bytes of a Unix socket's path (sun_path in
// unix(7), less the closing zero).
const maxSocketPath = 107

func (c *Config) complete() error {
	if c.URI == "" || c.Dir == "" || c.Images == nil {
		return fmt.Errorf("a libvirt driver needs a URI, a folder and images: %w", messages.Invalid)
	}
	if c.Shared && !hostForm.MatchString(c.Name) {
		return fmt.Errorf("a hypervisor on shared storage needs a name that can be a file's, not %q: %w", c.Name, messages.Invalid)
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return err
	}
	c.Dir = dir
	if c.HostIP == "" {
		c.HostIP = "127.0.0.1"
	}
	// QEMU may run as another user: it must get through, but need not list.
	if err := os.MkdirAll(c.Dir, 0o711); err != nil {
		return fmt.Errorf("folder of the instances: %w", err)
	}
	// A socket is this machine's alone, wherever its name lies.
	if c.SocketDir == "" && !c.Shared && len(filepath.Join(c.Dir, sampleID, socketName)) <= maxSocketPath {
		return nil
	}
	if c.SocketDir == "" {
		sum := sha256.Sum256([]byte(c.Dir + c.Name))
		c.SocketDir = filepath.Join("/run/troupe", hex.EncodeToString(sum[:6]))
	}
	if len(filepath.Join(c.SocketDir, sampleID+".vnc")) > maxSocketPath {
		return fmt.Errorf("folder %s is too long for sockets: %w", c.SocketDir, messages.Invalid)
	}
	return os.MkdirAll(c.SocketDir, 0o711)
}

// The files of an instance.
const (
	diskName    = "disk"
	baseName    = "disk.base" // the image's content, under a name of the instance's own
	configName  = "disk.config"
	consoleName = "console.log"
	socketName  = "vnc.sock"
	leasesName  = "leases.json"
	sampleID    = "00000000-0000-0000-0000-000000000000"
)

// hostForm is what a host's name is made of, in the names of files.
var hostForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,200}$`)

// gatePath is the file with the newest epoch that this hypervisor has seen.
func (c *Config) gatePath() string {
	if c.Shared {
		return filepath.Join(c.Dir, ".epoch-"+c.Name)
	}
	return filepath.Join(c.Dir, ".epoch")
}

func (c *Config) instanceDir(id string) string { return filepath.Join(c.Dir, id) }
func (c *Config) file(id, name string) string  { return filepath.Join(c.Dir, id, name) }
func (c *Config) consolePath(id string) string { return c.file(id, consoleName) }
func leaseHost(s *messages.DomainSpec) string {
	if h := drivers.Hostname(s); h != "" {
		return h
	}
	return s.GetName()
}

// vncPath is the Unix socket of the instance's screen.
func (c *Config) vncPath(id string) string {
	if c.SocketDir != "" {
		return filepath.Join(c.SocketDir, id+".vnc")
	}
	return c.file(id, socketName)
}

// diskGiB is the size of the file system that the instances lie on.
func (c *Config) diskGiB() (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(c.Dir, &s); err != nil {
		return 0, fmt.Errorf("size of %s: %w", c.Dir, err)
	}
	return int64(s.Blocks) * s.Bsize >> 30, nil
}

// cacheMode is "none" where the file system can do O_DIRECT, else "writeback".
func (c *Config) cacheMode() string {
	probe, err := os.CreateTemp(c.Dir, ".direct-")
	if err != nil {
		return "writeback"
	}
	defer os.Remove(probe.Name())
	defer probe.Close()
	fd, err := syscall.Open(probe.Name(), syscall.O_RDWR|syscall.O_DIRECT, 0)
	if err != nil {
		return "writeback"
	}
	_ = syscall.Close(fd)
	return "none"
}
