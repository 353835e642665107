package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/troupe-cloud/troupe/messages/durable"
)

// epochFile counts the starts of a cloud that is one process: each drives its
// hypervisors under an epoch of its own, so that what an earlier one has left
// under way is refused there (drivers.Fence).
const epochFile = "epoch"

// nextEpoch is that of this start. It is on the disk before it is used.
func nextEpoch(dir string) (uint64, error) {
	path := filepath.Join(dir, epochFile)
	last, err := readEpoch(path)
	if err != nil {
		return 0, err
	}
	if err := durable.Replace(path, fmt.Appendln(nil, last+1), 0o600); err != nil {
		return 0, err
	}
	return last + 1, nil
}

// readEpoch is the last one that was used; 0 if none was. A file with something
// else in it is refused: whoever starts at 1 again is refused by every hypervisor.
func readEpoch(path string) (uint64, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%s does not hold a number of starts: %w", path, err)
	}
	return n, nil
}
