package libvirt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/troupe-cloud/troupe/drivers/guestdata"
	"github.com/troupe-cloud/troupe/messages"
)

// configLabel is what guests look for (cloud-init, cloudbase-init).
const configLabel = "config-2"

// makeConfigDrive writes the files into an ISO 9660 image with Rock Ridge and
// Joliet names: plain ISO names have no "meta-data.json" and no "user_data".
func makeConfigDrive(ctx context.Context, files map[string][]byte, iso string) error {
	tree, err := os.MkdirTemp(filepath.Dir(iso), "config-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tree)
	root, err := os.OpenRoot(tree)
	if err != nil {
		return err
	}
	defer root.Close()
	for path, content := range guestdata.Expand(files) { // with the dated folders that guests choose from
		if err := writeInto(root, path, content); err != nil {
			return fmt.Errorf("config drive: %w", err)
		}
	}
	_, err = tool(ctx, "genisoimage", "-quiet", "-input-charset", "utf-8", "-publisher", "Troupe", "-allow-lowercase", "-allow-multidot", "-ldots", "-l",
		"-V", configLabel, "-R", "-J", "-joliet-long", "-o", iso, tree)
	if err != nil {
		return err
	}
	return os.Chmod(iso, 0o600) // it may hold passwords
}

// writeInto writes one file with its folders; nothing can leave the root. Names
// that contradict each other are Invalid; a disk that is full is not: another
// host may have room.
func writeInto(root *os.Root, path string, content []byte) error {
	err := root.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = root.WriteFile(path, content, 0o644)
	}
	if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR) || errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%w: %w", err, messages.Invalid)
	}
	return err
}
