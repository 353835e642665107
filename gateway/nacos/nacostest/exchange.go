package nacostest

import (
	"fmt"
	"strings"
)

// An exchange is one request and its answer, in a file of them:
//
//	### what is shown
//	POST /nacos/v1/cs/configs?tenant=dev
//	casMd5: 123
//	> dataId=a&group=g&content=b
//	@md5 data.md5
//	< 200 text/plain;charset=UTF-8
//	< Config-Type: json
//	true
//
// A line with > is one of the body, which is a form unless a Content-Type is given;
// @name keeps a value of the answer's JSON, and {{name}} in a later request stands
// for it. The rest is the answer: its status and type, headers worth to be seen,
// and the body. JSON is indented, and what differs each time is masked.
type exchange struct {
	title, method, target string
	headers               [][2]string
	body                  []string
	keep                  [][2]string // name, path
	answer                string
}

// parse reads a file of exchanges; comment is what stands before the first.
func parse(file string) (comment string, all []*exchange, err error) {
	var now *exchange
	var answer []string
	end := func() {
		if now != nil {
			now.answer = strings.TrimRight(strings.Join(answer, "\n"), "\n")
			answer = nil
		}
	}
	for i, line := range strings.Split(file, "\n") {
		title, begins := strings.CutPrefix(line, "### ")
		switch {
		case begins:
			end()
			now = &exchange{title: title}
			all = append(all, now)
		case now == nil:
			comment += line + "\n"
		case len(answer) > 0 || strings.HasPrefix(line, "< "):
			answer = append(answer, line)
		default:
			if err := now.request(line); err != nil {
				return "", nil, fmt.Errorf("line %d: %w", i+1, err)
			}
		}
	}
	end()
	return strings.TrimRight(comment, "\n"), all, nil
}

// request takes one line of the request.
func (e *exchange) request(line string) error {
	body, isBody := strings.CutPrefix(line, "> ")
	keep, isKeep := strings.CutPrefix(line, "@")
	switch {
	case strings.TrimSpace(line) == "":
	case isBody:
		e.body = append(e.body, body)
	case isKeep:
		name, path, _ := strings.Cut(keep, " ")
		e.keep = append(e.keep, [2]string{name, path})
	case e.method == "":
		method, target, ok := strings.Cut(line, " ")
		if !ok {
			return fmt.Errorf("%q is no METHOD /path", line)
		}
		e.method, e.target = method, target
	default:
		name, value, ok := strings.Cut(line, ": ")
		if !ok {
			return fmt.Errorf("%q is no header", line)
		}
		e.headers = append(e.headers, [2]string{name, value})
	}
	return nil
}

// write is the file again.
func write(comment string, all []*exchange) string {
	var b strings.Builder
	if comment != "" {
		b.WriteString(comment + "\n\n")
	}
	for i, e := range all {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "### %s\n%s %s\n", e.title, e.method, e.target)
		for _, h := range e.headers {
			fmt.Fprintf(&b, "%s: %s\n", h[0], h[1])
		}
		for _, line := range e.body {
			fmt.Fprintf(&b, "> %s\n", line)
		}
		for _, k := range e.keep {
			fmt.Fprintf(&b, "@%s %s\n", k[0], k[1])
		}
		b.WriteString(e.answer + "\n")
	}
	return b.String()
}
