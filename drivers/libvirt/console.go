package libvirt

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// Limits of the console logs. A guest can write as much as it likes; a log above
// maxConsole is cut to its last keepConsole bytes when it is looked after.
const (
	maxConsole  = 4 << 20
	keepConsole = 1 << 20
)

// tail reads the last n bytes of a file; n out of range: keepConsole. A file that
// is not there is empty: the guest has not written yet.
func tail(path string, n int64) ([]byte, error) {
	if n <= 0 || n > keepConsole {
		n = keepConsole
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	from := max(0, info.Size()-n)
	return io.ReadAll(io.NewSectionReader(f, from, min(n, info.Size())))
}

// trim cuts a console log that has grown too large. QEMU appends to it, so it may
// be cut under its hands; what the guest writes in that instant may be lost.
func trim(path string) error {
	if sizeOf(path) <= maxConsole {
		return nil
	}
	end, err := tail(path, keepConsole)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return errors.Join(err, f.Close())
	}
	_, err = f.Write(end)
	return errors.Join(err, f.Close())
}
