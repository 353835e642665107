package libvirt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

// makeDisk makes the root disk: an overlay over the image, as large as the spec
// says. The image itself is never written.
func makeDisk(ctx context.Context, spec *messages.DomainSpec, base, disk string) error {
	info, err := inspect(ctx, base, spec.GetImageFormat())
	if err != nil {
		return err
	}
	if err := drivers.CheckDisk(spec, info.VirtualSize); err != nil {
		return err
	}
	size := spec.GetDiskGib() << 30
	if size == 0 {
		size = info.VirtualSize
	}
	// The format of the base is always given: if it were guessed, a guest could
	// write a qcow2 header into a raw image and so read files of the host.
	_, err = tool(ctx, "qemu-img", "create", "-q", "-f", "qcow2", "-F", spec.GetImageFormat(), "-b", base,
		"--", disk, strconv.FormatInt(size, 10))
	if err != nil {
		return err
	}
	return os.Chmod(disk, 0o600)
}

// imageInfo is what we need of qemu-img's answer.
type imageInfo struct {
	Format      string `json:"format"`
	VirtualSize int64  `json:"virtual-size"` // bytes
	Backing     string `json:"backing-filename"`
	Specific    struct {
		Data struct {
			DataFile string `json:"data-file"`
		} `json:"data"`
	} `json:"format-specific"`
}

// inspect reads an image in the format it is said to have. Uploaded images have
// been checked before; this keeps the host safe even if that was passed by.
func inspect(ctx context.Context, path, format string) (imageInfo, error) {
	out, err := tool(ctx, "qemu-img", "info", "-U", "--output=json", "-f", format, "--", path)
	if err != nil {
		if !errors.Is(err, messages.Unavailable) {
			err = fmt.Errorf("the image cannot be read as %s (%v): %w", format, err, messages.Invalid)
		}
		return imageInfo{}, err
	}
	return parseInfo(out)
}

func parseInfo(out []byte) (imageInfo, error) {
	var info imageInfo
	if err := json.Unmarshal(out, &info); err != nil {
		return info, fmt.Errorf("answer of qemu-img: %w", err)
	}
	if info.Backing != "" || info.Specific.Data.DataFile != "" {
		return info, fmt.Errorf("the image needs other files: %w", messages.Invalid)
	}
	if info.VirtualSize <= 0 {
		return info, fmt.Errorf("the image is empty: %w", messages.Invalid)
	}
	return info, nil
}

// sizeOf is the size of a file; 0 if there is none.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
