package api

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/messages"
)

func with(query string) *Request {
	v, err := url.ParseQuery(query)
	if err != nil {
		panic(err)
	}
	return &Request{Params: v}
}

func TestValues(t *testing.T) {
	r := with("n=7&bad=x&yes=TRUE&no=0&f=0.5&nan=NaN&empty=&s=a&s=b&alias=z")
	v := r.Values()
	if v.Int(1, "n") != 7 || v.Int(1, "absent") != 1 || !v.Bool(false, "yes") || v.Bool(true, "no") || v.Float(1, "f") != 0.5 ||
		v.Text("empty") != "" || v.Or("d", "empty") != "d" || v.Text("s") != "a" || v.Text("none", "alias") != "z" ||
		v.OptionalBool("absent") != nil || v.OptionalFloat("absent") != nil || v.Err() != nil {
		t.Errorf("%+v", v)
	}
	for name, tt := range map[string]struct {
		read func(*Values)
		code Code
	}{
		"missing":           {func(v *Values) { v.Need("empty") }, ParameterMissing},
		"a missing number":  {func(v *Values) { v.NeedInt("absent") }, ParameterMissing},
		"no number":         {func(v *Values) { v.Int(1, "bad") }, ParameterInvalid},
		"no bool":           {func(v *Values) { v.Bool(true, "bad") }, ParameterInvalid},
		"no float":          {func(v *Values) { v.Float(1, "bad") }, ParameterInvalid},
		"not a number":      {func(v *Values) { v.Float(1, "nan") }, ParameterInvalid},
		"the first counts":  {func(v *Values) { v.Need("absent"); v.Int(1, "bad") }, ParameterMissing},
		"a page is missing": {func(v *Values) { v.Page(0) }, ParameterMissing},
	} {
		v := r.Values()
		tt.read(v)
		if CodeOf(v.Err()) != tt.code {
			t.Errorf("%s: %v", name, v.Err())
		}
	}
}

func TestPages(t *testing.T) {
	for query, tt := range map[string]struct {
		size  int
		want  Page
		fails bool
	}{
		"":                       {100, Page{1, 100}, false},
		"pageNo=2&pageSize=10":   {0, Page{2, 10}, false},
		"pageSize=100000":        {20, Page{1, MaxPageSize}, false},
		"pageNo=0&pageSize=10":   {20, Page{1, 1}, true},
		"pageNo=1&pageSize=-1":   {20, Page{1, 1}, true},
		"pageNo=99999999999":     {20, Page{1, 1}, true},
		"pageNo=999999999999999": {20, Page{1, 1}, true},
	} {
		v := with(query).Values()
		if got := v.Page(tt.size); got != tt.want || (v.Err() != nil) != tt.fails {
			t.Errorf("%q: %v, %v", query, got, v.Err())
		}
	}
	all := []int{1, 2, 3, 4, 5}
	for page, want := range map[Page]int{{1, 2}: 2, {3, 2}: 1, {4, 2}: 0} {
		if got := Cut(all, page); len(got.PageItems) != want || got.PagesAvailable != 3 || got.TotalCount != 5 || got.PageItems == nil {
			t.Errorf("%v: %+v", page, got)
		}
	}
}

func TestKeys(t *testing.T) {
	for query, want := range map[string]Key{
		"serviceName=a": {"public", "DEFAULT_GROUP", "a"},
		"serviceName=G@@a&groupName=H&namespaceId=ns": {"ns", "G", "a"},
		"serviceName=a&groupName=H&namespaceId=":      {"public", "H", "a"},
		"serviceName=a/b&groupName=H":                 {"public", "H", "a/b"},
		"serviceName=":                                {},
		"serviceName=a b":                             {},
		"serviceName=@a":                              {},
		"serviceName=a@@b@@c":                         {},
		"serviceName=服务":                              {},
		"serviceName=a&groupName=x y":                 {},
		"serviceName=a&namespaceId=x.y":               {},
		"serviceName=" + strings.Repeat("a", 513):     {},
	} {
		r := with(strings.ReplaceAll(query, " ", "%20"))
		got, err := r.ServiceKey()
		if (err != nil) != (want == Key{}) || err == nil && got != want {
			t.Errorf("%s: %+v, %v", query, got, err)
		}
		if err != nil && !errors.Is(err, messages.Invalid) {
			t.Errorf("%s: %v is of another kind", query, err)
		}
		if may := ServiceResource(r); err == nil && may != (Resource{want.Namespace, want.Group, Naming, want.Name}) {
			t.Errorf("%s: permission is asked for %+v", query, may)
		}
	}
	r := with("dataId=d&group=g&groupName=h&tenant=t&namespaceId=n")
	for names, want := range map[ConfigNames]Key{ConfigV1: {"t", "g", "d"}, ConfigV2: {"n", "g", "d"}, ConfigV3: {"n", "h", "d"}} {
		got, err := names.Key(r)
		if err != nil || got != want || names.Resource(r) != (Resource{want.Namespace, want.Group, Config, want.Name}) {
			t.Errorf("%v: %+v, %v, %+v", names, got, err, names.Resource(r))
		}
	}
	if got := ServiceResource(with("namespaceId=n")); got != (Resource{Namespace: "n", Type: Naming}) {
		t.Errorf("a list: %+v", got)
	}
}

func TestAddresses(t *testing.T) {
	for _, tt := range []struct {
		ip   string
		port int
		ok   bool
	}{
		{"10.0.0.1", 80, true}, {"::1", 0, true}, {"host.example", 65535, true}, {"", 80, false}, {"a b", 80, false},
		{"a#b", 80, false}, {"10.0.0.1", -1, false}, {"10.0.0.1", 65536, false}, {strings.Repeat("1", MaxIP+1), 80, false},
	} {
		if err := CheckAddress(tt.ip, tt.port); (err == nil) != tt.ok {
			t.Errorf("%s:%d: %v", tt.ip, tt.port, err)
		}
	}
}
