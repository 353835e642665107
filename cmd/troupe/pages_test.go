package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
)

// recorded is what smaps said of a cloud, without most of its libraries.
func recorded(t testing.TB) string {
	t.Helper()
	raw, err := os.ReadFile("testdata/smaps.txt")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestConstant: only what nobody has changed, of the program's own file, goes.
func TestConstant(t *testing.T) {
	const (
		start = "00400000-00403000 "
		code  = "00403000-014de000 "
		data  = "014de000-027a0000 "
	)
	for name, tt := range map[string]struct {
		old, new string // in what was recorded
		code     uint64
		want     string
	}{
		"as recorded":                      {"", "", 0x403000, start + code + data},
		"code of a library":                {"", "", 0x7fc299477000, "7fc299477000-7fc2995cd000 "},
		"code that stands nowhere":         {"", "", 0x10, ""},
		"code that is in no file":          {"", "", 0x7ffd1d2c5000, ""},
		"code that may be written":         {code + "r-xp", code + "rwxp", 0x403000, start + data},
		"constants that others may write":  {data + "r--p", data + "r--s", 0x403000, start + code},
		"what may not be read":             {start + "r--p", start + "---p", 0x403000, code + data},
		"a kernel that tells less":         {"Anonymous:  ", "Other:  ", 0x403000, ""},
		"a page of code that was replaced": {"Anonymous:             0 kB", "Anonymous:             4 kB", 0x403000, ""},
		"one that was, and is swapped out": {"Swap:                  0 kB", "Swap:                  4 kB", 0x403000, ""},
		"the file was just written":        {"Private_Dirty:         0 kB", "Private_Dirty:         4 kB", 0x403000, start + code + data},
		"the end of an address is another": {"", "", 0x14de000, start + code + data},
	} {
		all, err := readMappings(strings.NewReader(strings.ReplaceAll(recorded(t), tt.old, tt.new)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := ""
		for _, m := range constant(all, tt.code) {
			got += fmt.Sprintf("%08x-%08x ", m.start, m.end)
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestReadMappingsRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"a value before any mapping":    "Rss: 4 kB\n",
		"no end":                        "00400000 r--p 00000000 fe:00 1 /a\n",
		"no inode":                      "00400000-00403000 r--p 00000000 fe:00\n",
		"an end before the start":       "00403000-00400000 r--p 00000000 fe:00 1 /a\n",
		"an address that is no number":  "x-00400000 r--p 00000000 fe:00 1 /a\n",
		"a size that is no number":      "00400000-00403000 r--p 00000000 fe:00 1 /a\nAnonymous: -4 kB\n",
		"a line without end":            strings.Repeat("a", 2*maxMapLine),
		"more mappings than there are":  strings.Repeat("0-1 r--p 0 fe:00 1 /a\n", maxMappings+1),
		"a number larger than they are": "0-10000000000000000 r--p 0 fe:00 1 /a\n",
	} {
		if _, err := readMappings(strings.NewReader(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestReleasePages: a program that has let go of itself goes on, with less.
func TestReleasePages(t *testing.T) {
	resident := func() (kB uint64) {
		own, err := ownConstants()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range own {
			kB += m.rss
		}
		return kB
	}
	touchAll(t)
	before := resident()
	if err := releasePages(); err != nil {
		t.Fatal(err)
	}
	if after := resident(); before == 0 || after >= before {
		t.Errorf("%d kB of the program are in memory, and were before: %d kB", after, before)
	}
}

// touchAll reads everything that the program holds of its own file.
func touchAll(t *testing.T) {
	t.Helper()
	own, err := ownConstants()
	if err != nil {
		t.Fatal(err)
	}
	memory, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	for _, m := range own {
		if _, err := memory.ReadAt(make([]byte, m.end-m.start), int64(m.start)); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzReadMappings(f *testing.F) {
	f.Add([]byte(recorded(f)))
	f.Add([]byte("00400000-00403000 r-xp 00000000 fe:00 1 /a\nRss: 4 kB\nSwap: 0 kB\nAnonymous: 0 kB\n"))
	f.Add([]byte("0-1 r--p 0 fe:00 1 /a\\012Rss: 1\nAnonymous:"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		all, err := readMappings(bytes.NewReader(raw))
		if err != nil {
			return
		}
		for _, m := range constant(all, 0x400000) {
			if m.end < m.start || m.perms[1] == 'w' || m.ours != 0 {
				t.Errorf("took %+v", m)
			}
		}
	})
}
