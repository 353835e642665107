package messages

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

var record = flag.Bool("record-contract", false, "add to testdata/contract.txt what proto/ says anew")

const contractFile = "testdata/contract.txt"

// TestContract holds the wire contract to what was ever recorded: nodes of two
// versions run side by side during a rolling upgrade, and records written by the
// older one are read by the newer. A number keeps its name and type for ever; what
// is given up is reserved, number and name. Nothing is ever taken out of the file.
func TestContract(t *testing.T) {
	raw, err := os.ReadFile(contractFile)
	if err != nil && !*record {
		t.Fatal(err)
	}
	recorded := strings.FieldsFunc(string(raw), func(r rune) bool { return r == '\n' })
	now := current()
	for _, complaint := range breaks(recorded, now) {
		t.Error(complaint)
	}
	var added []string
	for line := range now.lines {
		if !slices.Contains(recorded, line) {
			added = append(added, line)
		}
	}
	if len(added) == 0 || t.Failed() {
		return
	}
	slices.Sort(added)
	if !*record {
		t.Fatalf("the contract is new in %d lines, e.g. %q: record them with `make proto`", len(added), added[0])
	}
	all := append(recorded, added...)
	slices.Sort(all)
	if err := os.WriteFile(contractFile, []byte(strings.Join(all, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// contract is what proto/ says: one line a number, "message number name type" or
// "enum number name enum", and what is reserved.
type contract struct {
	lines    map[string]bool
	reserved func(message string, number int) bool
}

func current() contract {
	c := contract{lines: map[string]bool{}}
	held := map[string]func(int) bool{}
	enums := func(es protoreflect.EnumDescriptors) {
		for i := range es.Len() {
			e := es.Get(i)
			held[string(e.FullName())] = func(n int) bool { return e.ReservedRanges().Has(protoreflect.EnumNumber(n)) }
			for j := range e.Values().Len() {
				v := e.Values().Get(j)
				c.lines[fmt.Sprintf("%s %d %s enum", e.FullName(), v.Number(), v.Name())] = true
			}
		}
	}
	var walk func(ms protoreflect.MessageDescriptors)
	walk = func(ms protoreflect.MessageDescriptors) {
		for i := range ms.Len() {
			m := ms.Get(i)
			held[string(m.FullName())] = func(n int) bool { return m.ReservedRanges().Has(protoreflect.FieldNumber(n)) }
			for j := range m.Fields().Len() {
				f := m.Fields().Get(j)
				c.lines[fmt.Sprintf("%s %d %s %s", m.FullName(), f.Number(), f.Name(), form(f))] = true
			}
			walk(m.Messages())
			enums(m.Enums())
		}
	}
	protoregistry.GlobalFiles.RangeFilesByPackage(File_envelope_proto.Package(), func(f protoreflect.FileDescriptor) bool {
		walk(f.Messages())
		enums(f.Enums())
		return true
	})
	c.reserved = func(message string, number int) bool { return held[message] != nil && held[message](number) }
	return c
}

// form is a field's type as far as the wire knows it.
func form(f protoreflect.FieldDescriptor) string {
	kind := f.Kind().String()
	switch {
	case f.IsMap():
		return "map<" + form(f.MapKey()) + "," + form(f.MapValue()) + ">"
	case f.Message() != nil:
		kind = string(f.Message().FullName())
	case f.Enum() != nil:
		kind = string(f.Enum().FullName())
	}
	if f.IsList() {
		return "repeated-" + kind
	}
	return kind
}

// breaks says what of the recorded contract does not hold any more.
func breaks(recorded []string, now contract) (complaints []string) {
	for _, line := range recorded {
		if now.lines[line] {
			continue
		}
		field := strings.Fields(line)
		if len(field) != 4 {
			complaints = append(complaints, fmt.Sprintf("%q is no line of a contract", line))
			continue
		}
		if n, err := strconv.Atoi(field[1]); err != nil || !now.reserved(field[0], n) {
			complaints = append(complaints, fmt.Sprintf("%q does not hold any more: a number keeps its name and type; what is given up is reserved", line))
		}
	}
	return complaints
}

func TestBreaks(t *testing.T) {
	now := contract{
		lines:    map[string]bool{"m 1 a string": true, "m 2 b bytes": true, "e 0 NONE enum": true},
		reserved: func(message string, n int) bool { return message == "m" && n == 3 },
	}
	for _, test := range []struct {
		recorded string
		fine     bool
	}{
		{"m 1 a string", true},
		{"e 0 NONE enum", true},
		{"m 1 a bytes", false},          // its type changed
		{"m 1 c string", false},         // the number was reused
		{"m 2 b repeated-bytes", false}, // one became many
		{"m 3 gone string", true},       // given up, reserved
		{"m 4 gone string", false},      // given up, not reserved
		{"gone 1 a string", false},      // the message went
		{"e 1 SOME enum", false},
		{"nonsense", false},
	} {
		if got := breaks([]string{test.recorded}, now); (len(got) == 0) != test.fine {
			t.Errorf("%q: %v", test.recorded, got)
		}
	}
}
