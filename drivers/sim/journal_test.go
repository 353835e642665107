package sim

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	"github.com/troupe-cloud/troupe/messages/encode/encodetest"
)

func TestDomainsOutliveTheProcess(t *testing.T) {
	dir := t.TempDir()
	j, err := OpenJournal(dir)
	must(t, err)
	a, b := New(Config{Name: "a", Journal: j}), New(Config{Name: "b", Journal: j})
	stays, goes, half := spec(), spec(), spec()
	must(t, a.Build(t.Context(), stays))
	must(t, a.Build(t.Context(), goes))
	must(t, b.Half(half))
	must(t, a.Stop(t.Context(), stays.InstanceId, at(9), 0))
	must(t, a.Delete(t.Context(), goes.InstanceId, at(9)))
	want, used := a.domains[stays.InstanceId], a.used
	// The file is left as a kill leaves it: not closed, and its last line torn.
	f, err := os.OpenFile(filepath.Join(dir, "domains.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteString(`{"h":"a","i":"` + goes.InstanceId)
	must(t, err)
	must(t, f.Close())

	j, err = OpenJournal(dir)
	must(t, err)
	a, b = New(Config{Name: "a", Journal: j}), New(Config{Name: "b", Journal: j})
	if len(a.domains) != 1 || a.domains[stays.InstanceId] != want || a.used != used {
		t.Errorf("a has %v using %v, want %v using %v", a.domains, a.used, want, used)
	}
	if len(b.domains) != 1 || b.domains[half.InstanceId].Power != shutdown {
		t.Errorf("b has %v", b.domains)
	}
	must(t, a.Delete(t.Context(), stays.InstanceId, at(10)))
	must(t, j.Close())
	j, err = OpenJournal(dir)
	must(t, err)
	left := j.take("a")
	if left[theHost].Epoch != 1 {
		t.Errorf("the newest epoch was forgotten: %v", left)
	}
	if delete(left, theHost); len(left) != 0 {
		t.Errorf("deleted domains came back: %v", left)
	}
	must(t, j.Close())
}

func TestJournalIsCompacted(t *testing.T) {
	j, err := OpenJournal(t.TempDir())
	must(t, err)
	d := New(Config{Name: "a", Journal: j})
	s := spec()
	must(t, d.Build(t.Context(), s))
	j.least = 1
	must(t, d.Stop(t.Context(), s.InstanceId, at(2), 0))
	j.packers.Wait()
	if info, err := os.Stat(j.path); err != nil || info.Size() > 1000 || info.Size() != j.size {
		t.Errorf("after compaction: %v %v, thought to be %d", info, err, j.size)
	}
	must(t, d.Start(t.Context(), s.InstanceId, at(3)))
	all, err := load(j.path, math.MaxInt64)
	must(t, err)
	if got := all["a"][s.InstanceId]; got != d.domains[s.InstanceId] {
		t.Errorf("the file has %v, memory %v", got, d.domains[s.InstanceId])
	}
	must(t, j.Close())
}

// TestCompactionLosesNothing: what is written while the journal is rewritten stands
// behind what was rewritten.
func TestCompactionLosesNothing(t *testing.T) {
	dir := t.TempDir()
	j, err := OpenJournal(dir)
	must(t, err)
	d := New(Config{Name: "a", Journal: j})
	stays, goes, late := spec(), spec(), spec()
	must(t, d.Build(t.Context(), stays))
	must(t, d.Build(t.Context(), goes))
	first := j.size
	must(t, d.Delete(t.Context(), goes.InstanceId, at(9)))
	must(t, d.Build(t.Context(), late))
	j.compact(first)
	must(t, d.Stop(t.Context(), late.InstanceId, at(9), 0))
	must(t, j.Close())
	j, err = OpenJournal(dir)
	must(t, err)
	left := j.take("a")
	if delete(left, theHost); !reflect.DeepEqual(left, d.domains) {
		t.Errorf("the file has %v, memory %v", left, d.domains)
	}
	must(t, j.Close())
}

// TestHypervisorsWorkWhileTheJournalIsRewritten writes through as many compactions as
// fit, by many at once.
func TestHypervisorsWorkWhileTheJournalIsRewritten(t *testing.T) {
	j, err := OpenJournal(t.TempDir())
	must(t, err)
	j.least = 1000 // bytes: at every few lines
	hosts := make([]*Driver, 4)
	var all sync.WaitGroup
	for i := range hosts {
		hosts[i] = New(Config{Name: string(rune('a' + i)), Journal: j})
		all.Go(func() {
			for range 50 {
				if err := hosts[i].Build(t.Context(), spec()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	must(t, j.Close())
	left, err := load(j.path, math.MaxInt64)
	must(t, err)
	for _, d := range hosts {
		doms := left[d.cfg.Name]
		if delete(doms, theHost); !reflect.DeepEqual(doms, d.domains) {
			t.Errorf("%s: the file has %d domains, memory %d", d.cfg.Name, len(doms), len(d.domains))
		}
	}
}

func TestBrokenJournalIsRefused(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "domains.jsonl"), []byte("{}\nnonsense\n{}\n"), 0o600))
	if _, err := OpenJournal(dir); err == nil {
		t.Error("a broken line in the middle was taken for good")
	}
}

func FuzzJournal(f *testing.F) {
	dom := newDomain(spec())
	line, _ := json.Marshal(entry{"host", "id", &dom})
	f.Add(append(line, '\n'))
	f.Add([]byte("{\"h\":\"a\",\"i\":\"b\"}\n{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := parse(bytes.NewReader(data))
		if err == nil && all == nil {
			t.Error("neither domains nor an error")
		}
	})
}

func BenchmarkBuildDelete(b *testing.B) {
	j, err := OpenJournal(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	d := New(Config{Name: "a", Journal: j})
	for b.Loop() {
		s := spec()
		if err := d.Build(b.Context(), s); err != nil {
			b.Fatal(err)
		}
		if err := d.Delete(b.Context(), s.InstanceId, at(2)); err != nil {
			b.Fatal(err)
		}
	}
}

// TestAFullDiskTearsNothing leaves behind the last line what a write leaves that
// did not fit; what is written later can be read again.
func TestAFullDiskTearsNothing(t *testing.T) {
	dir := t.TempDir()
	j, err := OpenJournal(dir)
	must(t, err)
	d := New(Config{Name: "a", Journal: j})
	first, second := spec(), spec()
	must(t, d.Build(t.Context(), first))
	_, err = j.file.WriteString(`{"h":"a","i":"` + second.InstanceId)
	must(t, err)
	j.torn = true
	must(t, d.Build(t.Context(), second))
	must(t, j.Close())
	j, err = OpenJournal(dir)
	must(t, err)
	left := j.take("a")
	if delete(left, theHost); len(left) != 2 {
		t.Errorf("of two domains there are %v", left)
	}
	must(t, j.Close())
}

// TestAppendJSON: a line is written as encoding/json writes it, every field.
func TestAppendJSON(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var e entry
		encodetest.Fill(random, reflect.ValueOf(&e).Elem())
		want, err := json.Marshal(e)
		must(t, err)
		if got, err := e.AppendJSON(nil); err != nil || string(got) != string(want) {
			t.Fatalf("%v\ngot  %s\nwant %s", err, got, want)
		}
	}
}
