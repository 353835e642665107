package configs_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// transfer is what became of an import or a clone.
type transfer struct {
	Code    int
	Message string
	Data    struct {
		SuccCount, SkipCount, UnrecognizedCount int
		FailData, SkipData                      []map[string]string
	}
}

func (w *world) upload(t *testing.T, path string, fields map[string]string, archive []byte) (int, transfer) {
	t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	for name, value := range fields {
		_ = form.WriteField(name, value) // a buffer takes everything
	}
	if archive != nil {
		part, _ := form.CreateFormFile("file", "x.zip")
		_, _ = part.Write(archive)
	}
	_ = form.Close()
	return w.transfer(t, path, form.FormDataContentType(), b.String())
}

func (w *world) transfer(t *testing.T, path, contentType, body string) (int, transfer) {
	t.Helper()
	resp, err := http.Post(w.URL+path, contentType, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var got transfer
	_ = json.Unmarshal(raw, &got) // v1 says some errors in plain text
	return resp.StatusCode, got
}

func (w *world) get(t *testing.T, path string) (int, string) {
	t.Helper()
	resp, err := http.Get(w.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

func (w *world) publish(t testing.TB, dataID, group, content string, more ...string) {
	t.Helper()
	form := url.Values{"dataId": {dataID}, "group": {group}, "content": {content}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	resp, err := http.PostForm(w.URL+"/nacos/v1/cs/configs", form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if raw, err := io.ReadAll(resp.Body); err != nil || string(raw) != "true" {
		t.Fatalf("publish %s: %s, %v", dataID, raw, err)
	}
}

// entries unpacks an archive.
func entries(t *testing.T, raw string) map[string]string {
	t.Helper()
	z, err := zip.NewReader(strings.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range z.File {
		from, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(from)
		if err != nil {
			t.Fatal(err)
		}
		all[f.Name] = string(content)
	}
	return all
}

// TestExportImport: what is exported in one form or the other can be imported again.
func TestExportImport(t *testing.T) {
	for name, tt := range map[string]struct{ export, into, described, says string }{
		"v1":         {"/nacos/v1/cs/configs?export=true&dataId=&group=g", "/nacos/v1/cs/configs?import=true", ".meta.yml", "g.a~yaml.app=shop\r\n"},
		"v2":         {"/nacos/v1/cs/configs?exportV2=true&group=g", "/nacos/v1/cs/configs?import=true", ".metadata.yml", "metadata:\n    - appName: shop\n      dataId: a.yaml\n      desc: what\n      group: g\n      type: yaml\n    - appName: \"\"\n      dataId: b\n      desc: \"\"\n      group: g\n      type: json\n"},
		"v3":         {"/nacos/v3/admin/cs/config/export?groupName=g", "/nacos/v3/admin/cs/config/import", ".metadata.yml", ""},
		"v3 console": {"/nacos/v3/console/cs/config/export2?groupName=g*", "/nacos/v3/console/cs/config/import", ".metadata.yml", ""},
	} {
		t.Run(name, func(t *testing.T) {
			from := newWorld(t, nil)
			from.publish(t, "a.yaml", "g", "a: 1", "appName", "shop", "type", "yaml", "desc", "what")
			from.publish(t, "b", "g", "{}", "type", "json")
			from.publish(t, "b", "other", "x")
			status, raw := from.get(t, tt.export)
			all := entries(t, raw)
			described := all[tt.described]
			delete(all, tt.described)
			if want := map[string]string{"g/a.yaml": "a: 1", "g/b": "{}"}; status != 200 || !reflect.DeepEqual(all, want) {
				t.Errorf("%d %v", status, all)
			}
			if tt.says != "" && described != tt.says {
				t.Errorf("described as %q", described)
			}
			to := newWorld(t, nil)
			status, got := to.upload(t, tt.into, map[string]string{"policy": "ABORT"}, []byte(raw))
			if status != 200 || got.Data.SuccCount != 2 || got.Data.SkipCount != 0 {
				t.Errorf("%d %+v", status, got)
			}
			if _, content := to.get(t, "/nacos/v1/cs/configs?dataId=a.yaml&group=g"); content != "a: 1" {
				t.Errorf("%q", content)
			}
		})
	}
}

// TestImportPolicies: what is done with keys that there are already.
func TestImportPolicies(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range []string{"g/a", "g/b", "g/c"} {
		part, _ := z.Create(name)
		_, _ = part.Write([]byte("new"))
	}
	_ = z.Close()
	for policy, want := range map[string]struct {
		done, skipped, failed int
		b, c                  string
	}{
		"ABORT":     {0, 2, 1, "old", "config data not exist"},
		"SKIP":      {2, 1, 0, "old", "new"},
		"OVERWRITE": {3, 0, 0, "new", "new"},
	} {
		w := newWorld(t, nil)
		w.publish(t, "b", "g", "old")
		status, got := w.upload(t, "/nacos/v1/cs/configs?import=true&namespace=", map[string]string{"policy": policy}, b.Bytes())
		if status != 200 || got.Code != 200 || got.Data.SuccCount != want.done || got.Data.SkipCount != want.skipped || len(got.Data.FailData) != want.failed {
			t.Errorf("%s: %d %+v", policy, status, got)
		}
		if _, content := w.get(t, "/nacos/v1/cs/configs?dataId=b&group=g"); content != want.b {
			t.Errorf("%s: b is %q", policy, content)
		}
		if _, content := w.get(t, "/nacos/v1/cs/configs?dataId=c&group=g"); content != want.c {
			t.Errorf("%s: c is %q", policy, content)
		}
	}
}

func TestImportRefused(t *testing.T) {
	w := newWorld(t, nil)
	for name, tt := range map[string]struct {
		path    string
		fields  map[string]string
		archive []byte
		status  int
		code    int
	}{
		"no file":             {"/nacos/v1/cs/configs?import=true", nil, nil, 200, 100005},
		"no archive":          {"/nacos/v1/cs/configs?import=true", nil, []byte("x"), 200, 100004},
		"no such namespace":   {"/nacos/v3/admin/cs/config/import?namespaceId=none", nil, []byte("x"), 200, 100001},
		"no namespace at all": {"/nacos/v3/admin/cs/config/import?namespaceId=a/b", nil, []byte("x"), 400, 22000},
		"no policy":           {"/nacos/v3/admin/cs/config/import", map[string]string{"policy": "MAYBE"}, []byte("x"), 400, 20002},
		"a field too long":    {"/nacos/v3/admin/cs/config/import", map[string]string{"policy": strings.Repeat("x", 2000)}, []byte("x"), 413, 20002},
	} {
		status, got := w.upload(t, tt.path, tt.fields, tt.archive)
		if status != tt.status || got.Code != tt.code {
			t.Errorf("%s: %d %+v", name, status, got)
		}
	}
	if status, _ := w.transfer(t, "/nacos/v3/admin/cs/config/import", "application/json", "{}"); status != http.StatusUnsupportedMediaType {
		t.Errorf("JSON: %d", status)
	}
}

// TestClone copies by numbers, under other names, in all versions.
func TestClone(t *testing.T) {
	w := newWorld(t, nil)
	w.publish(t, "a", "g", "content", "appName", "shop", "config_tags", "x")
	_, raw := w.get(t, "/nacos/v1/cs/configs?show=all&dataId=a&group=g")
	var info struct{ ID string }
	if err := json.Unmarshal([]byte(raw), &info); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		path, body, as string
		code, done     int
	}{
		"v1":                {"/nacos/v1/cs/configs?clone=true&tenant=", `[{"cfgId":` + info.ID + `,"dataId":"b","group":"h"}]`, "dataId=b&group=h", 200, 1},
		"v3":                {"/nacos/v3/admin/cs/config/clone?namespaceId=public", `[{"configId":"` + info.ID + `","targetDataId":"c"}]`, "dataId=c&group=g", 0, 1},
		"v3 console":        {"/nacos/v3/console/cs/config/clone?targetNamespaceId=public&policy=SKIP", `[{"configId":` + info.ID + `}]`, "dataId=a&group=g", 0, 0},
		"nothing":           {"/nacos/v1/cs/configs?clone=true&tenant=", `[]`, "", 100006, 0},
		"what is not there": {"/nacos/v1/cs/configs?clone=true&tenant=", `[{"cfgId":1}]`, "", 100005, 0},
		"to nowhere":        {"/nacos/v1/cs/configs?clone=true&tenant=none", `[{"cfgId":1}]`, "", 100001, 0},
		"no name":           {"/nacos/v3/admin/cs/config/clone", `[{"configId":` + info.ID + `,"targetDataId":"a b"}]`, "", 20008, 0},
		"no JSON":           {"/nacos/v3/admin/cs/config/clone", `[{`, "", 20002, 0},
	} {
		_, got := w.transfer(t, tt.path, "application/json", tt.body)
		if got.Code != tt.code || got.Data.SuccCount != tt.done {
			t.Errorf("%s: %+v", name, got)
		}
		if tt.as == "" {
			continue
		}
		if _, content := w.get(t, "/nacos/v1/cs/configs?"+tt.as); content != "content" {
			t.Errorf("%s: %q", name, content)
		}
	}
	if _, all := w.get(t, "/nacos/v1/cs/configs?show=all&dataId=c&group=g"); !strings.Contains(all, `"configTags":"x"`) {
		t.Errorf("the copy is %s", all)
	}
	_, raw = w.get(t, "/nacos/v1/cs/configs?exportV2=true&ids="+info.ID)
	if _, ok := entries(t, raw)["g/a"]; !ok {
		t.Error("an export by ids")
	}
}
