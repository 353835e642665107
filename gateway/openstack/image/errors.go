package image

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"strings"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// writeError answers as WebOb does for Glance: JSON to who asks for JSON and not
// for HTML before it, a page of HTML to everybody else. Whatever is used up is 413.
func writeError(w http.ResponseWriter, r *api.Request, status int, err error) {
	if status == http.StatusForbidden && errors.Is(err, messages.Exhausted) {
		status = http.StatusRequestEntityTooLarge
	}
	title, sentence := http.StatusText(status), capital(messages.Sentence(err))
	if wantsJSON(r.Header.Get("Accept")) {
		api.WriteJSON(w, status, map[string]string{
			"message": sentence, "code": fmt.Sprintf("%d %s", status, title), "title": title,
		})
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.WriteHeader(status)
	head := fmt.Sprintf("%d %s", status, title)
	_, _ = fmt.Fprintf(w, "<html>\n <head>\n  <title>%s</title>\n </head>\n <body>\n  <h1>%s</h1>\n  %s<br /><br />\n </body>\n</html>\n",
		head, head, html.EscapeString(sentence)) // the client is gone: nobody is left to tell
}

func wantsJSON(accept string) bool {
	json := strings.Index(accept, "application/json")
	page := strings.Index(accept, "text/html")
	return json >= 0 && (page < 0 || json < page)
}

// capital begins a sentence of ours as this dialect's do.
func capital(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}
