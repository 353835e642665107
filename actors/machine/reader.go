package machine

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/messages"
)

// maxShown is how much of a value an error repeats, in bytes.
const maxShown = 80

// reader reads one server's metadata and tags, and keeps the first thing wrong.
type reader struct {
	metadata map[string]string
	tags     []string
	err      error
}

func (r *reader) must(err error) error {
	if r.err == nil {
		r.err = err
	}
	return err
}

// one is the value of a key that counts once: of metadata, else of the first tag.
func (r *reader) one(key string) string {
	if v, ok := r.metadata[key]; ok {
		return strings.TrimSpace(v)
	}
	for _, t := range r.tags {
		if v, ok := strings.CutPrefix(t, key+"="); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// all is the parts of all values of a key, without repetitions.
func (r *reader) all(key string, limit int) []string {
	values := []string{r.metadata[key]}
	for _, t := range r.tags {
		if v, ok := strings.CutPrefix(t, key+"="); ok {
			values = append(values, v)
		}
	}
	var parts []string
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part != "" && !slices.Contains(parts, part) {
				parts = append(parts, part)
			}
		}
	}
	if len(parts) > limit {
		_ = r.must(wrong(key, "at most %d can be named", limit))
		return nil
	}
	return parts
}

func (r *reader) port(text string) int32 {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 || text[0] == '+' {
		_ = r.must(wrong(ServiceKey, "%.*q is no port from 1 to %d", maxShown, text, service.MaxPort))
	}
	return int32(n)
}

func (r *reader) weight() float64 {
	text := r.one(WeightKey)
	if text == "" {
		return 1
	}
	w, err := strconv.ParseFloat(text, 64)
	if err != nil || !(w >= 0 && w <= service.MaxWeight) { // no number is neither
		_ = r.must(wrong(WeightKey, "%.*q is no number from 0 to %d", maxShown, text, service.MaxWeight))
	}
	return w
}

func (r *reader) drain() time.Duration {
	text := r.one(DrainKey)
	if text == "" {
		return DefaultDrain
	}
	const most = int(MaxDrain / time.Second)
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		_ = r.must(wrong(DrainKey, "%.*q is no number of seconds from 0 to %d", maxShown, text, most))
		return 0
	}
	return time.Duration(n) * time.Second
}

func (r *reader) check() *messages.HealthCheck {
	text := r.one(CheckKey)
	path, isHTTP := strings.CutPrefix(text, "http:")
	c := &messages.HealthCheck{UseEndpointPort: true}
	switch {
	case text == "" || text == "none":
		return nil
	case text == "tcp":
		c.Type = service.CheckTCP
	case isHTTP && strings.HasPrefix(path, "/"):
		c.Type, c.Path = service.CheckHTTP, path
	default:
		_ = r.must(wrong(CheckKey, "%.*q is neither tcp nor http:/path nor none", maxShown, text))
		return nil
	}
	_ = r.must(service.CheckHealthCheck(c))
	return c
}

// config adds data id[@group] to all.
func (r *reader) config(all []Config, namespace, group, text string) []Config {
	id := text
	if i := strings.LastIndexByte(text, '@'); i >= 0 {
		id, group = text[:i], text[i+1:]
	}
	c := Config{namespace, service.Group(group), id}
	if r.must(config.CheckKey(c.Namespace, c.Group, c.DataID)) != nil || slices.Contains(all, c) {
		return all
	}
	return append(all, c)
}
