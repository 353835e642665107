package image

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/troupe-cloud/troupe/actors/image"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/messages"
)

// TestHostileUploads: each is refused with a sentence, the image is queued
// again, and nothing is left on disk.
func TestHostileUploads(t *testing.T) {
	spoiled := func(at int, with string) []byte {
		b := craftQCOW2()
		copy(b[at:], with)
		return b
	}
	backing := craftQCOW2()
	binary.BigEndian.PutUint64(backing[8:], 200)
	binary.BigEndian.PutUint32(backing[16:], 11)
	copy(backing[200:], "/etc/passwd")
	w := newWorld(t, 1<<20)
	for name, tt := range map[string]struct {
		fields  string
		content []byte
		status  int
		say     string
	}{
		"backing file":         {qcow2Fields, backing, 415, "backing file"},
		"external data file":   {qcow2Fields, spoiled(79, "\x04"), 415, "external data file"},
		"raw as qcow2":         {qcow2Fields, make([]byte, 4096), 415, "declared qcow2"},
		"qcow2 as raw":         {rawFields, craftQCOW2(), 415, "declared raw"},
		"cut off":              {qcow2Fields, craftQCOW2()[:1<<16], 415, "outside the file"},
		"L2 table outside":     {qcow2Fields, spoiled(3<<16, "\x80\x00\x01\x00\x00\x00\x00\x00"), 415, "cut off or corrupt"},
		"ISO inside":           {qcow2Fields, spoiled(0x8000, "\x01CD001"), 415, "several formats"},
		"descriptor as raw":    {rawFields, []byte("# Disk DescriptorFile\nRW 1 FLAT \"/etc/passwd\" 0\n"), 415, "vmdk"},
		"empty":                {rawFields, nil, 415, "empty"},
		"too large":            {rawFields, make([]byte, 1<<20+1), 413, "at most 1048576 bytes"},
		"no format set before": {`{}`, []byte("x"), 400, "must be set before"},
	} {
		id := w.made("alice", tt.fields)
		a := w.put("alice", id, tt.content)
		if a.status != tt.status || !strings.Contains(a.body, tt.say) {
			t.Errorf("%s: %d %s, want %d and %q", name, a.status, a.body, tt.status, tt.say)
		}
		if got := w.status(id); got != "queued" {
			t.Errorf("%s: the image is %s", name, got)
		}
	}
	if left := w.files(); len(left) != 0 {
		t.Errorf("left on disk: %v", left)
	}
}

func TestUploadOfUnknownLength(t *testing.T) {
	w := newWorld(t, 1000)
	id := w.made("alice", rawFields)
	body := struct{ io.Reader }{bytes.NewReader(make([]byte, 1001))} // hides the length
	if a := w.do("alice", "PUT", "/v2/images/"+id+"/file", body, "Content-Type: application/octet-stream"); a.status != 413 {
		t.Errorf("got %d %s", a.status, a.body)
	}
	body.Reader = bytes.NewReader(make([]byte, 1000))
	if a := w.do("alice", "PUT", "/v2/images/"+id+"/file", body, "Content-Type: application/octet-stream"); a.status != 204 {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

// TestClientThatGoes leaves the image queued and nothing on disk.
func TestClientThatGoes(t *testing.T) {
	w := newWorld(t, 0)
	id := w.made("alice", rawFields)
	r, pipe := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), "PUT", w.url+Prefix+"/v2/images/"+id+"/file", r)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Auth-Token", "alice")
	req.Header.Set("Content-Type", "application/octet-stream")
	done := make(chan error, 1)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
			err = fmt.Errorf("answered %d", resp.StatusCode)
		}
		done <- err
	}()
	if _, err := pipe.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	for w.status(id) != "saving" { // what was written may still be on its way to the server
		if t.Context().Err() != nil {
			t.Fatal(t.Context().Err())
		}
	}
	if a := w.put("alice", id, []byte("x")); a.status != 409 {
		t.Errorf("a second upload: %d %s", a.status, a.body)
	}
	pipe.CloseWithError(errors.New("unplugged"))
	if err := <-done; err == nil {
		t.Error("the upload was taken")
	}
	for w.status(id) != "queued" || len(w.files()) != 0 { // the server hears of it in its own time
		if t.Context().Err() != nil {
			t.Fatal(t.Context().Err())
		}
	}
	if a := w.put("alice", id, []byte("x")); a.status != 204 {
		t.Errorf("the next upload: %d %s", a.status, a.body)
	}
}

func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("may not mount a small file system: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	w := newWorldIn(t, dir, 0)
	id := w.made("alice", rawFields)
	if a := w.put("alice", id, make([]byte, 1<<20)); a.status != 413 || !strings.Contains(a.body, "no room left") {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if got := w.status(id); got != "queued" || len(w.files()) != 0 {
		t.Errorf("the image is %s, left %v", got, w.files())
	}
	if a := w.put("alice", id, make([]byte, 4096)); a.status != 204 {
		t.Errorf("the next upload: %d %s", a.status, a.body)
	}
}

// TestSharedContent: two images of one content; it goes with the last.
func TestSharedContent(t *testing.T) {
	w := newWorld(t, 0)
	a, b := w.made("alice", rawFields), w.made("bob", rawFields)
	for token, id := range map[string]string{"alice": a, "bob": b} {
		if got := w.put(token, id, []byte("same")); got.status != 204 {
			t.Fatal(got)
		}
	}
	if n := len(w.files()); n != 1 {
		t.Errorf("stored %d times", n)
	}
	w.do("alice", "DELETE", "/v2/images/"+a, nil)
	if got := w.do("bob", "GET", "/v2/images/"+b+"/file", nil); got.body != "same" {
		t.Errorf("the other image lost its content: %v", got)
	}
	w.do("bob", "DELETE", "/v2/images/"+b, nil)
	for len(w.files()) != 0 { // the discard comes after the answer
		if t.Context().Err() != nil {
			t.Fatal("the content stays")
		}
	}
}

// TestUploadsAndDeletesAtOnce: whoever was told 204 can download.
func TestUploadsAndDeletesAtOnce(t *testing.T) {
	w := newWorld(t, 0)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 25 {
				id := w.made("alice", rawFields)
				if a := w.put("alice", id, []byte("same")); a.status != 204 {
					t.Errorf("upload: %v", a)
				}
				if a := w.do("alice", "GET", "/v2/images/"+id+"/file", nil); a.body != "same" {
					t.Errorf("download: %v", a)
				}
				w.do("alice", "DELETE", "/v2/images/"+id, nil)
			}
		})
	}
	wg.Wait()
	for len(w.files()) != 0 {
		if t.Context().Err() != nil {
			t.Fatal("the content stays")
		}
	}
}

// TestUploadToAnImageThatGoes discards what nobody wants.
func TestUploadToAnImageThatGoes(t *testing.T) {
	w := newWorld(t, 0)
	id := w.made("alice", rawFields)
	r, pipe := io.Pipe()
	result := make(chan answer, 1)
	go func() {
		result <- w.do("alice", "PUT", "/v2/images/"+id+"/file", r, "Content-Type: application/octet-stream")
	}()
	if _, err := pipe.Write([]byte("he")); err != nil {
		t.Fatal(err)
	}
	for w.status(id) != "saving" {
		if t.Context().Err() != nil {
			t.Fatal("never saving")
		}
	}
	if a := w.do("alice", "DELETE", "/v2/images/"+id, nil); a.status != 204 {
		t.Fatal(a)
	}
	pipe.Write([]byte("llo"))
	pipe.Close()
	if a := <-result; a.status != 404 {
		t.Errorf("got %v", a)
	}
	if left := w.files(); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

func TestWanted(t *testing.T) {
	w := newWorld(t, 0)
	id := w.made("alice", rawFields)
	w.put("alice", id, []byte("hello"))
	v, err := cluster.Ask[*messages.ImageView](t.Context(), w.node.Client(), image.Ref(id), &messages.GetImage{})
	if err != nil {
		t.Fatal(err)
	}
	for sum, want := range map[string]bool{v.Sha256: true, strings.Repeat("0", 64): false} {
		if got, err := Wanted(w.node.Client())(t.Context(), sum); got != want || err != nil {
			t.Errorf("%s: %v, %v", sum, got, err)
		}
	}
}

func TestRanges(t *testing.T) {
	w := newWorld(t, 0)
	id := w.made("alice", rawFields)
	w.put("alice", id, []byte("0123456789"))
	for header, want := range map[string]struct {
		status int
		body   string
	}{
		"bytes=0-3": {206, "0123"}, "bytes=7-": {206, "789"}, "bytes=-2": {206, "89"}, "bytes=5-99": {206, "56789"},
		"bytes=-99": {200, "0123456789"}, "bytes=0-": {200, "0123456789"}, "bytes=3-1": {200, "0123456789"},
		"bytes=1-2,4-5": {200, "0123456789"}, "lines=1-2": {200, "0123456789"},
	} {
		a := w.do("alice", "GET", "/v2/images/"+id+"/file", nil, "Range: "+header)
		if a.status != want.status || a.body != want.body {
			t.Errorf("%s: %d %q", header, a.status, a.body)
		}
	}
	if a := w.do("alice", "GET", "/v2/images/"+id+"/file", nil, "Range: bytes=10-"); a.status != 416 {
		t.Errorf("beyond the end: %d %q", a.status, a.body)
	}
}
