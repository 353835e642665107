package lab

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// All processes of a machine share its clock, and Go asks the kernel's vDSO for it,
// a page of code that each process has. So a process is given a wall clock of its
// own by a few instructions there: they ask the kernel and add a number of seconds,
// which stands behind them. The monotonic clock goes on as it is, as it does when
// somebody sets the clock of a machine.

// clockCode is for amd64, System V calling convention: the clock's id is in edi, the
// timespec at rsi. What a system call does not keep, rcx and r11, is free.
var clockCode = []byte{
	0xb8, 0xe4, 0x00, 0x00, 0x00, // mov eax, 228 (clock_gettime)
	0x0f, 0x05, // syscall
	0x85, 0xff, // test edi, edi (CLOCK_REALTIME is 0)
	0x75, 0x0a, // jnz ret
	0x48, 0x8b, 0x0d, 0x06, 0x00, 0x00, 0x00, // mov rcx, [rip+6]: seconds
	0x48, 0x01, 0x0e, // add [rsi], rcx
	0xc3, // ret
	0, 0, // so that the seconds are aligned
}

const (
	jump       = 0xe9 // jmp rel32
	jumpLength = 5
	secondsAt  = 24 // after clockCode's beginning
	caveLength = 64 // at the end of the vDSO, where its ELF image has ended
	maxVDSO    = 64 << 10
)

// ClocksCanBeSet says whether SetClock knows this processor.
const ClocksCanBeSet = runtime.GOARCH == "amd64"

// SetClock puts the wall clock of a process ahead of the machine's, or behind it, by
// whole seconds. The process must have been started by the caller, on amd64.
func SetClock(pid int, ahead time.Duration) error {
	if !ClocksCanBeSet {
		return errors.New("clocks can be set on amd64 only")
	}
	begin, end, err := vdso(pid)
	if err != nil {
		return err
	}
	mem, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer mem.Close()
	image := make([]byte, end-begin)
	if _, err := mem.ReadAt(image, begin); err != nil {
		return fmt.Errorf("read the vDSO of %d: %w", pid, err)
	}
	entry, err := clockEntry(image)
	if err != nil {
		return err
	}
	cave := int64(len(image)) - caveLength
	if image[entry] != jump {
		if err := bend(pid, mem, begin, image, entry, cave); err != nil {
			return err
		}
	}
	seconds := binary.LittleEndian.AppendUint64(nil, uint64(int64(ahead/time.Second)))
	_, err = mem.WriteAt(seconds, begin+cave+secondsAt)
	return err
}

// bend leads the vDSO's clock to ours. The process stands still meanwhile.
func bend(pid int, mem io.WriterAt, begin int64, image []byte, entry, cave int64) error {
	if len(bytes.Trim(image[cave:], "\x00")) > 0 {
		return errors.New("the vDSO has no room at its end")
	}
	if _, err := mem.WriteAt(clockCode, begin+cave); err != nil {
		return fmt.Errorf("write the vDSO of %d: %w", pid, err)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }() // it may have ended
	instruction := binary.LittleEndian.AppendUint32([]byte{jump}, uint32(int32(cave-entry-jumpLength)))
	_, err := mem.WriteAt(instruction, begin+entry)
	return err
}

// vdso is where a process has it.
func vdso(pid int) (begin, end int64, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(maps)) {
		if !strings.HasSuffix(strings.TrimSpace(line), "[vdso]") {
			continue
		}
		if _, err := fmt.Sscanf(line, "%x-%x", &begin, &end); err != nil || end-begin > maxVDSO || end-begin < caveLength {
			return 0, 0, fmt.Errorf("a vDSO at %q: %w", line, err)
		}
		return begin, end, nil
	}
	return 0, 0, fmt.Errorf("process %d has no vDSO", pid)
}

// clockEntry is where clock_gettime begins in the image.
func clockEntry(image []byte) (int64, error) {
	file, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return 0, fmt.Errorf("the vDSO: %w", err)
	}
	symbols, err := file.DynamicSymbols()
	if err != nil {
		return 0, fmt.Errorf("the vDSO: %w", err)
	}
	for _, s := range symbols {
		if s.Name == "__vdso_clock_gettime" && s.Value+jumpLength < uint64(len(image)-caveLength) {
			return int64(s.Value), nil
		}
	}
	return 0, errors.New("the vDSO has no clock_gettime")
}
