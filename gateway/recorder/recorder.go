// Package recorder owns what every frame of a dialect wants of an HTTP answer on its
// way: which status was written, and which methods a path would have had. It writes
// nothing of its own.
package recorder

import (
	"net/http"
)

// Writer is a ResponseWriter that knows what was written. It is for one goroutine.
type Writer struct {
	http.ResponseWriter
	Status int // written to the client; 0: nothing yet
}

// WriteHeader writes the status; the first one counts.
func (w *Writer) WriteHeader(status int) {
	if w.Status == 0 {
		w.Status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write writes a part of the body; without a status before it, that is 200.
func (w *Writer) Write(p []byte) (int, error) {
	if w.Status == 0 {
		w.Status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *Writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Methods lists those that mux has a route for at the path of r. A route for every
// path does not count.
func Methods(mux *http.ServeMux, r *http.Request) []string {
	var found []string
	probe := *r
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
		probe.Method = method
		if _, pattern := mux.Handler(&probe); pattern != "" && pattern != "/" {
			found = append(found, method)
		}
	}
	return found
}
