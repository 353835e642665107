package configs

import (
	"archive/zip"
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

// zipOf packs entries: name, content, name, content.
func zipOf(t testing.TB, entries ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(entries); i += 2 {
		if err := putIn(z, entries[i], entries[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// testRoom is how much the archives of tests may hold.
const testRoom = 1 << 20

const describedA = "metadata:\n- {dataId: a, group: g, type: json, appName: shop, desc: d, configTags: 'x,y'}\n"

func TestOpenArchive(t *testing.T) {
	huge := strings.Repeat("x", config.MaxContentBytes+1)
	bomb := []string{"g/a", huge[:testRoom/2], "g/b", huge[:testRoom/2], "g/c", "x"}
	var many []string
	for i := range maxItems + 1 {
		many = append(many, "g/"+strings.Repeat("a", i%250+1), "x")
	}
	for name, tt := range map[string]struct {
		raw                 []byte
		items, unrecognized int
		err                 error
	}{
		"v2":                          {zipOf(t, "g/a", "{}", describedV2, describedA), 1, 0, nil},
		"v2, not described":           {zipOf(t, "g/a", "{}", "g/b", "x", describedV2, describedA), 1, 1, nil},
		"v2, described and not there": {zipOf(t, "g/b", "x", describedV2, describedA), 0, 0, errNothing},
		"v1":                          {zipOf(t, "g/a.yaml", "x", describedV1, "g.a~yaml.app=shop\r\n"), 1, 0, nil},
		"without a description":       {zipOf(t, "g/a", "x", "h/a", "y"), 2, 0, nil},
		"paths that lead out":         {zipOf(t, "g/a", "x", "../etc/passwd", "x", "/g/a", "x", "g/../a", "x", "a", "x", `..\g/a`, "x"), 1, 5, nil},
		"the same twice":              {zipOf(t, "g/a", "x", "g/a", "y"), 1, 1, nil},
		"folders":                     {zipOf(t, "g/", "", "g/a", "x"), 1, 0, nil},
		"no zip":                      {[]byte("PK nonsense"), 0, 0, errNoArchive},
		"nothing":                     {zipOf(t), 0, 0, errNothing},
		"a content too large":         {zipOf(t, "g/a", huge), 0, 0, messages.Invalid},
		"all together too large":      {zipOf(t, bomb...), 0, 0, messages.Invalid},
		"a blank content":             {zipOf(t, "g/a", " "), 0, 0, messages.Invalid},
		"a content that is no text":   {zipOf(t, "g/a", "\xff"), 0, 0, messages.Invalid},
		"too many":                    {zipOf(t, many...), 0, 0, messages.Invalid},
		"a description of nothing":    {zipOf(t, "g/a", "x", describedV2, "metadata: []"), 0, 0, errNoMetadata},
		"one that is cut off":         {zipOf(t, "g/a", "x", describedV2, "metadata: [{"), 0, 0, errNoMetadata},
		"without a group":             {zipOf(t, "g/a", "x", describedV2, "metadata: [{dataId: a, type: text}]"), 0, 0, errNoMetadata},
		"with aliases":                {zipOf(t, "g/a", "x", describedV2, "metadata:\n- &a {dataId: a, group: g, type: text}\n- *a\n"), 0, 0, errNoMetadata},
		"v1, no line":                 {zipOf(t, "g/a", "x", describedV1, "g.a.app"), 0, 0, errNoMetadata},
		"labels that cannot be":       {zipOf(t, "g/a", "x", describedV1, "g.a.app=no app"), 0, 0, messages.Invalid},
		"damaged":                     {damaged(t), 0, 0, messages.Invalid},
	} {
		a, err := openArchive(tt.raw, testRoom)
		if tt.err != nil {
			if !errors.Is(err, tt.err) {
				t.Errorf("%s: %v, want %v", name, err, tt.err)
			}
			continue
		}
		if err != nil || len(a.items) != tt.items || len(a.unrecognized) != tt.unrecognized {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

// damaged is an archive in which a content is not what its checksum says.
func damaged(t *testing.T) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.CreateRaw(&zip.FileHeader{Name: "g/a", Method: zip.Store, CRC32: 1, CompressedSize64: 1, UncompressedSize64: 1})
	if err == nil {
		_, err = w.Write([]byte("x"))
	}
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestArchiveLabels(t *testing.T) {
	a, err := openArchive(zipOf(t, "g/a", "{}", describedV2, describedA), testRoom)
	if err != nil {
		t.Fatal(err)
	}
	l := a.items[0].labels
	if l.Type != "json" || l.App != "shop" || l.Description != "d" || len(l.Tags) != 2 {
		t.Errorf("%v", l)
	}
	a, err = openArchive(zipOf(t, "g.h/a.b.yml", "x", describedV1, "g.h.a.b~yml.app=shop\r\n"), testRoom)
	if err != nil {
		t.Fatal(err)
	}
	if l := a.items[0].labels; l.Type != "yaml" || l.App != "shop" {
		t.Errorf("%v", l)
	}
}

// FuzzMetadata: a description of v2 that was read describes what there can be, and
// reading it ends.
func FuzzMetadata(f *testing.F) {
	for _, s := range []string{describedA, "metadata: []", "metadata: [{", "a: &a [*a]", "metadata:\n- dataId: [1]\n", "---\n---\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseMetadata(text)
		if err != nil {
			return
		}
		if !d.listed || len(d.about) == 0 || len(d.about) != len(d.order) {
			t.Errorf("%+v", d)
		}
	})
}

// FuzzMeta: so does one of v1.
func FuzzMeta(f *testing.F) {
	for _, s := range []string{"g.a~yaml.app=shop\r\n", "a=b|c=d", "=", "\r\n", "a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseMeta(text)
		if err == nil && len(d.apps) > maxItems {
			t.Errorf("%d lines", len(d.apps))
		}
	})
}

// FuzzArchive: what is found in an archive has names that can be.
func FuzzArchive(f *testing.F) {
	f.Add(zipOf(f, "g/a", "{}", describedV2, describedA))
	f.Add(zipOf(f, "g/a", "x", describedV1, "g.a.app=shop"))
	f.Add(zipOf(f, "../a", "x"))
	f.Add([]byte("PK"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := openArchive(raw, testRoom)
		if err != nil {
			return
		}
		for _, it := range a.items {
			if err := first(api.CheckGroup(it.group), api.CheckDataID(it.dataID)); err != nil {
				t.Error(err)
			}
			if _, err := it.content(); err != nil {
				t.Error(err)
			}
		}
	})
}
