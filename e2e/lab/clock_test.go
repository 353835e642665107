package lab

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"
)

const asClock = "TROUPE_LAB_CLOCK" // set for the process that tells the time

func TestMain(m *testing.M) {
	if os.Getenv(asClock) != "" {
		tellTime()
		return
	}
	os.Exit(m.Run())
}

// tellTime answers each line with the wall clock, and with how long it has run by the
// monotonic clock, in nanoseconds.
func tellTime() {
	began := time.Now()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		now := time.Now()
		fmt.Println(now.UnixNano(), now.Sub(began).Nanoseconds())
	}
}

// TestSetClock: the wall clock of another process jumps ahead, back and home again;
// its monotonic clock and the clock of this process do not.
func TestSetClock(t *testing.T) {
	if os.Geteuid() != 0 || !ClocksCanBeSet {
		t.Skip("needs root, on amd64")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	other := exec.Command(self)
	other.Env = append(os.Environ(), asClock+"=1")
	in, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Wait() }()
	defer in.Close()
	var last int64
	for _, ahead := range []time.Duration{0, time.Hour, -25 * time.Second, -240 * time.Hour, 0} {
		if err := SetClock(other.Process.Pid, ahead); err != nil {
			t.Fatal(err)
		}
		asked := time.Now()
		if _, err := io.WriteString(in, "?\n"); err != nil {
			t.Fatal(err)
		}
		var wall, ran int64
		if _, err := fmt.Fscan(out, &wall, &ran); err != nil {
			t.Fatal(err)
		}
		told := time.Unix(0, wall).Add(-ahead)
		if told.Before(asked.Round(0)) || told.After(time.Now().Round(0)) {
			t.Errorf("%v ahead: it says %v, which is %v off", ahead, told, told.Sub(asked))
		}
		if ran < last || ran > time.Since(began).Nanoseconds() {
			t.Errorf("%v ahead: it has run for %d ns, %d before", ahead, ran, last)
		}
		last = ran
	}
}
