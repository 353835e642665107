// Package cloud owns what the tests of the registry's clients stand on: the program,
// built once, a cloud of one process that can be killed and started again, and Node
// for the clients that are written for it. It knows nothing of what the clients do,
// and has no code of the product.
package cloud

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const (
	// WithoutNode is the variable that says, if it is set, that the clients that are
	// written for Node need not be tested.
	WithoutNode = "TROUPE_TEST_WITHOUT_NODE"

	binaryVariable = "TROUPE_BINARY" // names a program to be used instead of a new one
	root           = "../../.."      // of the checkout, from the folder of a package's tests
)

var (
	binary  string // troupe
	modules string // where the package for Node is installed; "": it is not to be tested
)

// Main prepares, runs the tests of a package and ends the process. name is the
// package's, for scripts/npm-client.sh.
func Main(m *testing.M, name string) {
	dir, err := os.MkdirTemp("", "troupe-"+name+"-")
	if err == nil {
		err = prepareNode(name)
	}
	if err == nil {
		err = build(dir)
	}
	code := 1
	if err == nil {
		code = m.Run()
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func prepareNode(name string) error {
	if os.Getenv(WithoutNode) != "" {
		return nil
	}
	out, err := exec.Command(root+"/scripts/npm-client.sh", name).Output()
	if err != nil {
		var said *exec.ExitError
		if errors.As(err, &said) {
			err = fmt.Errorf("%w: %s", err, said.Stderr)
		}
		return fmt.Errorf("no client for Node to test (%s=1 leaves those out): %w", WithoutNode, err)
	}
	modules = filepath.Join(strings.TrimSpace(string(out)), "node_modules")
	return nil
}

func build(dir string) error {
	if binary = os.Getenv(binaryVariable); binary != "" {
		return nil
	}
	binary = filepath.Join(dir, "troupe")
	c := exec.Command("go", "build", "-tags", "libvirt_dlopen", "-o", binary, "./cmd/troupe")
	c.Dir = root
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}

// NeedNode skips the test if Node is to be left out.
func NeedNode(t *testing.T) {
	t.Helper()
	if modules == "" {
		t.Skipf("%s is set", WithoutNode)
	}
}

// Node is a process yet to be started: node/client.js of the package, which has the
// packages for Node.
func Node(t *testing.T) *exec.Cmd {
	t.Helper()
	script, err := filepath.Abs("node/client.js")
	if err != nil {
		t.Fatal(err)
	}
	c := Mortal("node", script)
	c.Env = append(c.Env, "NODE_PATH="+modules)
	return c
}

// Mortal is a process yet to be started that does not outlive the test.
func Mortal(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Env = os.Environ()
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c
}
