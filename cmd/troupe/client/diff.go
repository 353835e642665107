package client

import (
	"fmt"
	"slices"
	"strings"
)

// Limits of a comparison.
const (
	diffContext = 3     // lines around a change
	maxDiff     = 1_000 // lines that differ; with more, all of them are shown as replaced
)

// edit is a line that both have (' '), only the first ('-') or only the second ('+').
type edit struct {
	kind byte
	line string
}

// unified is the difference of two contents as diff -u writes it; empty: none.
func unified(a, b version) (string, error) {
	if a.content == b.content {
		return "", nil
	}
	edits := compare(lines(a.content), lines(b.content))
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", printable(a.name), printable(b.name))
	for _, h := range hunks(edits) {
		h.write(&out)
	}
	return out.String(), nil
}

// lines are those of a content; the last one says if it has no end.
func lines(s string) []string {
	if s == "" {
		return nil
	}
	all := strings.SplitAfter(s, "\n")
	if last := len(all) - 1; all[last] == "" {
		all = all[:last]
	} else {
		all[last] += "\n\\ No newline at end of file\n"
	}
	return all
}

// compare finds the fewest changes from a to b.
func compare(a, b []string) []edit {
	var edits []edit
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		edits = append(edits, edit{' ', a[0]})
		a, b = a[1:], b[1:]
	}
	same := 0
	for same < len(a) && same < len(b) && a[len(a)-1-same] == b[len(b)-1-same] {
		same++
	}
	tail := a[len(a)-same:]
	edits = append(edits, myers(a[:len(a)-same], b[:len(b)-same])...)
	for _, s := range tail {
		edits = append(edits, edit{' ', s})
	}
	return edits
}

// myers is the greedy algorithm of E. W. Myers, "An O(ND) Difference Algorithm and
// Its Variations" (1986).
func myers(a, b []string) []edit {
	limit := min(len(a)+len(b), maxDiff)
	reach := newFront(limit)
	var trace []front
	for d := 0; d <= limit; d++ {
		trace = append(trace, slices.Clone(reach))
		for k := -d; k <= d; k += 2 {
			x := *reach.at(k - 1) + 1
			if reach.down(k, d) {
				x = *reach.at(k + 1)
			}
			for x < len(a) && x-k < len(b) && a[x] == b[x-k] {
				x++
			}
			*reach.at(k) = x
			if x >= len(a) && x-k >= len(b) {
				return back(a, b, trace)
			}
		}
	}
	var all []edit
	for _, s := range a {
		all = append(all, edit{'-', s})
	}
	for _, s := range b {
		all = append(all, edit{'+', s})
	}
	return all
}

// front says by diagonal how far into a the search has come; the diagonals lie
// around its middle.
type front []int

func newFront(limit int) front { return make(front, 2*limit+3) }

func (f front) at(k int) *int { return &f[len(f)/2+k] }

// down says whether diagonal k is best come to by a line of b.
func (f front) down(k, d int) bool { return k == -d || k != d && *f.at(k - 1) < *f.at(k + 1) }

// back walks the trace from the end to the beginning.
func back(a, b []string, trace []front) []edit {
	var turned []edit
	x, y := len(a), len(b)
	for d := len(trace) - 1; d >= 0; d-- {
		reach, k := trace[d], x-y
		from := k - 1
		if reach.down(k, d) {
			from = k + 1
		}
		beforeX := *reach.at(from)
		beforeY := beforeX - from
		for x > beforeX && y > beforeY && x > 0 && y > 0 {
			x, y = x-1, y-1
			turned = append(turned, edit{' ', a[x]})
		}
		if d == 0 {
			break
		}
		if from == k+1 {
			y--
			turned = append(turned, edit{'+', b[y]})
		} else {
			x--
			turned = append(turned, edit{'-', a[x]})
		}
	}
	slices.Reverse(turned)
	return turned
}

// hunk is a stretch of edits; a and b are the numbers of its first lines.
type hunk struct {
	a, b  int
	edits []edit
}

// hunks cuts out what changed, with the lines around it.
func hunks(edits []edit) []hunk {
	var all []hunk
	a, b, quiet := 1, 1, diffContext*2+1
	for i, e := range edits {
		if e.kind != ' ' {
			if quiet > diffContext*2 { // a new one
				lead := min(i, diffContext)
				all = append(all, hunk{a - lead, b - lead, edits[i-lead : i : i]})
			} else {
				h := &all[len(all)-1]
				h.edits = append(h.edits, edits[i-quiet+min(quiet, diffContext):i]...)
			}
			h := &all[len(all)-1]
			h.edits = append(h.edits, e)
			quiet = 0
		} else if quiet++; quiet <= diffContext && len(all) > 0 {
			h := &all[len(all)-1]
			h.edits = append(h.edits, e)
		}
		if e.kind != '+' {
			a++
		}
		if e.kind != '-' {
			b++
		}
	}
	return all
}

func (h hunk) write(out *strings.Builder) {
	na, nb := 0, 0
	for _, e := range h.edits {
		if e.kind != '+' {
			na++
		}
		if e.kind != '-' {
			nb++
		}
	}
	fmt.Fprintf(out, "@@ -%s +%s @@\n", span(h.a, na), span(h.b, nb))
	for _, e := range h.edits {
		out.WriteByte(e.kind)
		out.WriteString(e.line)
	}
}

// span is the place of n lines, as diff -u writes it.
func span(from, n int) string {
	switch n {
	case 0:
		return fmt.Sprintf("%d,0", from-1)
	case 1:
		return fmt.Sprint(from)
	}
	return fmt.Sprintf("%d,%d", from, n)
}
