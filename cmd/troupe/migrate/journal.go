package migrate

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
)

// maxLine is the longest line of a journal.
const maxLine = 4096

// item is one thing that is copied: a kind, its namespace, group and name.
type item [4]string

// Journal is a file of what a migration has done, by which it goes on after it was
// broken off. A line is a word and its fields with tabs between. Nil: none is kept.
type Journal struct {
	mu     sync.Mutex
	file   *os.File
	bad    error
	ended  map[item]bool
	starts map[item]int
}

// OpenJournal opens the journal of the migration from one server to another, or
// makes one. The file of another migration is refused.
func OpenJournal(path, from, to string) (*Journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	j := &Journal{file: f, ended: map[item]bool{}, starts: map[item]int{}}
	title := line("migration", from, to)
	size, err := j.read(f, title)
	if err == nil && size == 0 {
		_, err = f.WriteString(title)
	}
	if err == nil { // ends a line that was broken off
		_, err = f.WriteString("\n")
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return j, nil
}

// line ends with a field that a line that was broken off lacks.
func line(fields ...string) string { return strings.Join(fields, "\t") + "\t" + lineEnd }

const lineEnd = "."

// read takes what stands in a journal. What a line says that was broken off is done
// again.
func (j *Journal) read(from io.Reader, title string) (size int, err error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, maxLine), maxLine)
	for ; lines.Scan(); size++ {
		if size == 0 {
			if lines.Text() != title {
				return 0, errors.New("this is no journal of a migration between these servers: name another file, or remove it")
			}
			continue
		}
		text, whole := strings.CutSuffix(lines.Text(), "\t"+lineEnd)
		f := strings.Split(text, "\t")
		switch {
		case !whole:
		case len(f) == 5 && f[0] == "done":
			j.ended[item(f[1:5])] = true
		case len(f) == 6 && f[0] == "begin":
			if n, err := strconv.Atoi(f[5]); err == nil {
				j.starts[item(f[1:5])] = n
			}
		}
	}
	return size, lines.Err()
}

// Close closes the file.
func (j *Journal) Close() error {
	if j == nil {
		return nil
	}
	return j.file.Close()
}

func (j *Journal) isDone(x item) bool {
	if j == nil {
		return false
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.ended[x]
}

// begun is how many rows of history the target had when x was begun.
func (j *Journal) begun(x item) (rows int, ok bool) {
	if j == nil {
		return 0, false
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	rows, ok = j.starts[x]
	return rows, ok
}

func (j *Journal) done(x item) { j.write(line("done", x[0], x[1], x[2], x[3])) }

func (j *Journal) begin(x item, rows int) {
	j.write(line("begin", x[0], x[1], x[2], x[3], strconv.Itoa(rows)))
}

func (j *Journal) write(s string) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, err := j.file.WriteString(s + "\n"); err != nil && j.bad == nil {
		j.bad = fmt.Errorf("the journal: %w", err)
	}
}

// err is the first failure to write.
func (j *Journal) err() error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.bad
}
