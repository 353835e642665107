package libvirt

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/troupe-cloud/troupe/messages"
)

// smallDisk is a folder on a file system of 64 KiB, and a function that fills it
// until so many bytes are free.
func smallDisk(t *testing.T) (dir string, fill func(free int64)) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("may not mount a small file system: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	return dir, func(free int64) {
		err := os.WriteFile(filepath.Join(dir, "ballast"), bytes.Repeat([]byte{1}, int(64<<10-free)), 0o600)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestDiskFull: every step of a build that finds no room says so, in the kind
// that sends the build to another host.
func TestDiskFull(t *testing.T) {
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	spec := sampleSpec()
	spec.ImageFormat, spec.ImageVirtualBytes, spec.DiskGib = "raw", 1<<20, 1
	long := map[string][]byte{"openstack/latest/user_data": make([]byte, 1<<20)}
	few := map[string][]byte{"openstack/latest/user_data": []byte("x")}
	for name, step := range map[string]func(dir string) error{
		"copy of the image":       func(dir string) error { return copyFile(t.Context(), image, filepath.Join(dir, "base")) },
		"overlay":                 func(dir string) error { return makeDisk(t.Context(), spec, image, filepath.Join(dir, "disk")) },
		"files for the drive":     func(dir string) error { return makeConfigDrive(t.Context(), long, filepath.Join(dir, "iso")) },
		"the drive, with no room": func(dir string) error { return makeConfigDrive(t.Context(), few, filepath.Join(dir, "iso")) },
		"leases":                  func(dir string) error { return saveLeases(filepath.Join(dir, "leases"), spec) },
	} {
		dir, fill := smallDisk(t)
		fill(0)
		err := step(dir)
		if !full(err) {
			t.Errorf("%s: got %v, want one that says that there is no room", name, err)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "config-*")); len(left) > 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
}

// TestNoInodes: a disk is full also when it can hold no more names.
func TestNoInodes(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k,nr_inodes=3"); err != nil {
		t.Skipf("may not mount a small file system: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	files := map[string][]byte{"openstack/latest/user_data": []byte("x")}
	if err := makeConfigDrive(t.Context(), files, filepath.Join(dir, "iso")); !full(err) {
		t.Errorf("got %v, want one that says that there is no room", err)
	}
}

// full is what errors.go calls Exhausted.
func full(err error) bool {
	return !errors.Is(err, messages.Invalid) && (errors.Is(err, messages.Exhausted) || errors.Is(err, syscall.ENOSPC))
}

// TestCorruptImages: the last look before a guest is built finds what was
// spoiled since the upload.
func TestCorruptImages(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	if out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", good, "1M").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	content, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func([]byte) []byte{
		"empty":     func([]byte) []byte { return nil },
		"no header": func(b []byte) []byte { copy(b, "QUACK"); return b },
		"cut off":   func(b []byte) []byte { return b[:100] },
		"an L1 table outside": func(b []byte) []byte {
			copy(b[40:], "\x00\x00\x00\x01\x00\x00\x00\x01")
			return b
		},
		"a version of the future": func(b []byte) []byte { b[7] = 9; return b },
	} {
		path := filepath.Join(dir, "spoiled")
		if err := os.WriteFile(path, spoil(bytes.Clone(content)), 0o600); err != nil {
			t.Fatal(err)
		}
		spec := sampleSpec()
		spec.ImageFormat, spec.ImageVirtualBytes, spec.DiskGib = "qcow2", 1<<20, 1
		err := makeDisk(t.Context(), spec, path, filepath.Join(dir, "disk"))
		if !errors.Is(err, messages.Invalid) || strings.Contains(err.Error(), "prlimit") {
			t.Errorf("%s: got %v, want Invalid", name, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "disk")); err == nil {
			t.Errorf("%s: a disk was made", name)
		}
	}
}
