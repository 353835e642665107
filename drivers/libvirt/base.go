package libvirt

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"
)

// baseMode is that of a copy: QEMU reads it, nobody writes it.
const baseMode = 0o400

// adopt gives an instance its own name for the image's content: an overlay needs
// its base for as long as it lives, and the image may be deleted before. It
// is a link, which costs nothing, or a copy where the two are on different file systems.
func adopt(ctx context.Context, base, own string) error {
	err := os.Link(base, own)
	if errors.Is(err, syscall.EXDEV) || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EMLINK) {
		return copyFile(ctx, base, own)
	}
	return err
}

func copyFile(ctx context.Context, from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, baseMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, untilDone{ctx, in})
	return err
}

// untilDone reads as long as ctx lasts.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}
