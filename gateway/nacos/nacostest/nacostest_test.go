package nacostest

import (
	"testing"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
)

func TestRun(t *testing.T) {
	c := Start(t, Config{})
	say := func(r *api.Request) (api.Answer, error) {
		v := r.Values()
		return api.Answer{Data: map[string]string{"said": v.Need("x"), "by": r.User.Name, "id": r.ID}}, v.Err()
	}
	text := func(r *api.Request) (api.Answer, error) { return api.Answer{Data: r.Values().Text("x")}, nil }
	c.Mount([]api.Route{
		{Method: "POST", Pattern: "/v3/say", Form: api.Result, Access: api.Access{Known: true}, Handle: say},
		{Method: "GET", Pattern: "/v1/text", Access: api.Access{Known: true}, Handle: text},
	})
	c.Run(t, "testdata/*.http")
}

func TestParse(t *testing.T) {
	for name, file := range map[string]string{
		"no method":  "### a\nGET\n",
		"no headers": "### a\nGET /\nx\n",
	} {
		if _, _, err := parse(file); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	const file = "# what\n\n### a\nGET /x\nH: v\n> b\n@n p.0\n< 200 text\nbody\n\nmore\n"
	comment, all, err := parse(file)
	if got := write(comment, all); err != nil || got != file {
		t.Errorf("%v\n%s", err, got)
	}
}
