package recorder

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

// TestWriter: what is known is what the client was told.
func TestWriter(t *testing.T) {
	for name, tt := range map[string]struct {
		answer func(http.ResponseWriter)
		want   int
	}{
		"nothing":           {func(http.ResponseWriter) {}, 0},
		"a body":            {func(w http.ResponseWriter) { _, _ = io.WriteString(w, "a") }, 200},
		"a status":          {func(w http.ResponseWriter) { w.WriteHeader(404) }, 404},
		"a status and more": {func(w http.ResponseWriter) { w.WriteHeader(404); _, _ = io.WriteString(w, "a") }, 404},
		"by its controller": {func(w http.ResponseWriter) { w.WriteHeader(201); _ = http.NewResponseController(w).Flush() }, 201},
		"another too late":  {func(w http.ResponseWriter) { _, _ = io.WriteString(w, "a"); w.WriteHeader(500) }, 200},
	} {
		under := httptest.NewRecorder()
		w := &Writer{ResponseWriter: under}
		tt.answer(w)
		if w.Status != tt.want || tt.want != 0 && under.Code != tt.want {
			t.Errorf("%s: %d, and the client was told %d", name, w.Status, under.Code)
		}
	}
}

func TestMethods(t *testing.T) {
	mux := http.NewServeMux()
	none := func(http.ResponseWriter, *http.Request) {}
	mux.HandleFunc("GET /a", none)
	mux.HandleFunc("POST /a", none)
	mux.HandleFunc("/", none)
	for path, want := range map[string][]string{"/a": {"GET", "HEAD", "POST"}, "/b": nil} {
		if got := Methods(mux, httptest.NewRequest("DELETE", path, nil)); !slices.Equal(got, want) {
			t.Errorf("%s: %v", path, got)
		}
	}
}
