package metadata

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
)

// ec2Versions are the dated roots of the EC2 tree; all show the same.
var ec2Versions = []string{
	"1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10",
	"2007-12-15", "2008-02-01", "2008-09-01", "2009-04-04", "latest",
}

// serve finds the path in the OpenStack tree or in the EC2 tree of files.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, files map[string][]byte) {
	clean := clean(r)
	root, rest, _ := strings.Cut(clean, "/")
	switch {
	case clean == "":
		text(w, r, strings.Join(append(slices.Clone(ec2Versions), "openstack"), "\n"))
	case root == "openstack":
		openstack(w, r, files, clean)
	case slices.Contains(ec2Versions, root):
		ec2(w, r, files, rest)
	default:
		http.NotFound(w, r)
	}
}

// openstack serves a document, or the names in a folder.
func openstack(w http.ResponseWriter, r *http.Request, files map[string][]byte, name string) {
	if content, ok := files[name]; ok {
		document(w, r, name, content)
		return
	}
	if names := list(files, name+"/"); len(names) > 0 {
		text(w, r, strings.Join(names, "\n"))
		return
	}
	http.NotFound(w, r)
}

// list names what is directly below prefix, sorted; "latest" sorts last by itself.
func list(files map[string][]byte, prefix string) []string {
	found := map[string]bool{}
	for name := range files {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			first, _, _ := strings.Cut(rest, "/")
			found[first] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// ec2 serves what lies below /<version>.
func ec2(w http.ResponseWriter, r *http.Request, files map[string][]byte, name string) {
	userData, hasUserData := files["ec2/latest/user-data"]
	root, rest, _ := strings.Cut(name, "/")
	switch {
	case name == "" && hasUserData:
		text(w, r, "meta-data/\nuser-data")
	case name == "":
		text(w, r, "meta-data/")
	case name == "user-data" && hasUserData:
		document(w, r, name, userData)
	case root == "meta-data":
		var data map[string]any
		if err := json.Unmarshal(files["ec2/latest/meta-data.json"], &data); err != nil {
			http.Error(w, "internal error", http.StatusInternalServerError)
			return
		}
		if out, ok := lookup(data, rest); ok {
			text(w, r, out)
			return
		}
		http.NotFound(w, r)
	default:
		http.NotFound(w, r)
	}
}

// lookup walks data along a path and renders what it finds: a value, a list by
// lines, or the names in a folder, folders with a slash behind them.
func lookup(data any, name string) (string, bool) {
	if name != "" {
		first, rest, _ := strings.Cut(name, "/")
		folder, ok := data.(map[string]any)
		if !ok {
			return "", false
		}
		child, ok := folder[first]
		if !ok || strings.HasPrefix(first, "_") {
			return "", false
		}
		return lookup(child, rest)
	}
	switch v := data.(type) {
	case map[string]any:
		return folder(v), true
	case []any:
		lines := make([]string, len(v))
		for i, e := range v {
			lines[i] = fmt.Sprint(e)
		}
		return strings.Join(lines, "\n"), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	default:
		return fmt.Sprint(v), true
	}
}

// folder lists names; a child with a _name (a key) is listed as "0=name".
func folder(v map[string]any) string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if strings.HasPrefix(name, "_") {
			continue
		}
		if child, ok := v[name].(map[string]any); ok {
			if label, ok := child["_name"].(string); ok {
				name += "=" + label
			} else {
				name += "/"
			}
		}
		lines = append(lines, name)
	}
	return strings.Join(lines, "\n")
}

func document(w http.ResponseWriter, r *http.Request, name string, content []byte) {
	kind := "application/octet-stream"
	if path.Ext(name) == ".json" {
		kind = "application/json"
	}
	write(w, r, kind, content)
}

func text(w http.ResponseWriter, r *http.Request, s string) {
	write(w, r, "text/plain; charset=utf-8", []byte(s))
}

func write(w http.ResponseWriter, r *http.Request, kind string, content []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(content)))
	if r.Method != http.MethodHead {
		w.Write(content) //nolint:errcheck // the guest went away: nothing to do
	}
}
