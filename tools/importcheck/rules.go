package main

import (
	"fmt"
	"slices"
	"strings"
)

const module = "github.com/troupe-cloud/troupe"

// order is the architecture: a package imports only what stands to its left, or
// in its own room. The last rooms hold tests of the whole.
var order = []string{"scripts", "messages", "drivers", "actors", "cluster", "balancer", "gateway", "client", "examples", "cmd", "e2e"}

// narrow are rooms that other people's programs are built with: of the rooms to
// their left they see only these, so that neither the runtime nor a dialect comes
// along. Their tests may use all that stands to their left.
var narrow = map[string][]string{
	"balancer": {"balancer"},
	"client":   {"client", "messages", "cluster/peer", "cluster/pki", "cluster/view"},
	"examples": {"examples", "client", "messages"},
}

// owners names the one room that may import a module from outside.
var owners = map[string]string{
	"github.com/asynkron/protoactor-go": "cluster",
	"github.com/hashicorp/consul":       "cluster",
	"libvirt.org/go/libvirt":            "drivers/libvirt",
	"libvirt.org/go/libvirtxml":         "drivers/libvirt",
}

// light are the packages that client programs are built with: none of them may
// import what owners names, though their room may. Their tests may.
var light = []string{"cluster/peer", "cluster/pki", "cluster/view", "cluster/store"}

// impure is what no decision may touch: clocks, I/O, loggers, locks, chance.
var impure = []string{
	"bufio", "context", "crypto/rand", "io/ioutil", "log", "log/slog", "math/rand", "math/rand/v2",
	"net", "net/http", "os", "os/exec", "os/signal", "runtime", "sync", "sync/atomic", "syscall", "unsafe",
	"github.com/rs/zerolog", "golang.org/x/sync", "golang.org/x/sys",
}

// worlds are the packages below actors that run decisions instead of making
// them: the simulator and the golden files of tests.
var worlds = []string{"actors/sim", "actors/golden", "actors/actorstest"}

// pkg is what `go list -json` says of one package.
type pkg struct {
	Dir          string
	ImportPath   string
	GoFiles      []string
	CgoFiles     []string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// check lists what is wrong with the imports of p, one sentence each.
func check(p pkg) []string {
	here, ok := strings.CutPrefix(p.ImportPath, module+"/")
	if !ok {
		return []string{fmt.Sprintf("%s: the root of the module holds no package", p.ImportPath)}
	}
	room, _, _ := strings.Cut(here, "/")
	rank := slices.Index(order, room)
	if rank < 0 {
		return []string{fmt.Sprintf("%s: %q has no place in %s", here, room, strings.Join(order, " <- "))}
	}
	var wrong []string
	all := slices.Concat(p.Imports, p.TestImports, p.XTestImports)
	slices.Sort(all)
	for _, imported := range slices.Compact(all) {
		if msg := layer(here, rank, imported); msg != "" {
			wrong = append(wrong, msg)
		}
	}
	if slices.Contains(light, here) {
		for _, imported := range p.Imports {
			if heavy(imported) {
				wrong = append(wrong, fmt.Sprintf("%s: client programs are built with it, and it may not import %s", here, imported))
			}
		}
	}
	wrong = append(wrong, tooMuch(here, room, p.Imports)...)
	if pure(here) {
		for _, imported := range p.Imports {
			if slices.ContainsFunc(impure, func(i string) bool { return within(imported, i) && !allowed(imported) }) {
				wrong = append(wrong, fmt.Sprintf("%s: a decision may not import %s", here, imported))
			}
		}
	}
	return wrong
}

// heavy says whether a module from outside belongs to one room only.
func heavy(imported string) bool {
	for outside := range owners {
		if within(imported, outside) {
			return true
		}
	}
	return false
}

// tooMuch are the sentences against what a narrow room imports.
func tooMuch(here, room string, imports []string) (wrong []string) {
	sees, ok := narrow[room]
	if !ok {
		return nil
	}
	for _, imported := range imports {
		inside, ours := strings.CutPrefix(imported, module+"/")
		if ours && !slices.ContainsFunc(sees, func(root string) bool { return inside == root || room == root && within(inside, root) }) {
			wrong = append(wrong, fmt.Sprintf("%s: may import of the module only %s, not %s", here, strings.Join(sees, ", "), inside))
		}
	}
	return wrong
}

// layer is the sentence against here importing imported, or "".
func layer(here string, rank int, imported string) string {
	if inside, ok := strings.CutPrefix(imported, module+"/"); ok {
		room, _, _ := strings.Cut(inside, "/")
		if r := slices.Index(order, room); r > rank {
			return fmt.Sprintf("%s: may not import %s, which stands to its right", here, inside)
		}
		return ""
	}
	for outside, owner := range owners {
		if within(imported, outside) && !within(here, owner) {
			return fmt.Sprintf("%s: only %s may import %s", here, owner, imported)
		}
	}
	return ""
}

// pure says whether here is a package of decisions.
func pure(here string) bool {
	return within(here, "actors") && !slices.ContainsFunc(worlds, func(w string) bool { return within(here, w) })
}

// allowed are pure packages below an impure path.
func allowed(imported string) bool { return imported == "net/netip" || imported == "net/url" }

// within says whether path is root or lies below it.
func within(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }
