package pki

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

func testCA(t testing.TB) *CA {
	t.Helper()
	ca, err := NewCA("11111111-2222", time.Now().Add(-2*365*24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func TestToken(t *testing.T) {
	made := newToken(testCA(t).Cert, []string{"10.0.0.1:7700", "[fd00::1]:7700", "node.example:7700"})
	got, err := ParseToken(" " + made.Text() + "\n")
	if err != nil || got.Text() != made.Text() {
		t.Fatalf("%v", err)
	}
	for _, form := range []string{"%v", "%+v", "%#v", "%s"} {
		if strings.Contains(fmt.Sprintf(form, made), strings.Split(made.Text(), ".")[1]) {
			t.Errorf("%s shows the secret", form)
		}
	}
	p := strings.SplitN(made.Text(), ".", 4)
	for name, bad := range map[string]string{
		"empty":              "",
		"cut short":          strings.Join(p[:3], "."),
		"the id in capitals": strings.Join([]string{strings.ToUpper("abcdefabcdef"), p[1], p[2], p[3]}, "."),
		"a damaged secret":   strings.Join([]string{p[0], p[1][1:], p[2], p[3]}, "."),
		"a damaged hash":     strings.Join([]string{p[0], p[1], p[2] + "A", p[3]}, "."),
		"no address":         strings.Join([]string{p[0], p[1], p[2], ""}, "."),
		"no port":            strings.Join([]string{p[0], p[1], p[2], "host"}, "."),
		"port 0":             strings.Join([]string{p[0], p[1], p[2], "host:0"}, "."),
		"every address":      strings.Join([]string{p[0], p[1], p[2], "0.0.0.0:7"}, "."),
		"an address of URLs": strings.Join([]string{p[0], p[1], p[2], "a/b:7"}, "."),
		"nine addresses":     strings.Join([]string{p[0], p[1], p[2], strings.Repeat("h:1,", 8) + "h:1"}, "."),
		"endless":            strings.Join([]string{p[0], p[1], p[2], strings.Repeat("h", maxTokenBytes) + ":1"}, "."),
	} {
		_, err := ParseToken(bad)
		if !errors.Is(err, messages.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), p[1]) {
			t.Errorf("%s: the error quotes the secret", name)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	good := newToken(testCA(f).Cert, []string{"127.0.0.1:7700"}).Text()
	for _, seed := range []string{"", "...", good, good[1:], good + ",[::1]:1", strings.Repeat(".", 2000), "é.é.é.é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		token, err := ParseToken(text)
		if err != nil {
			if !errors.Is(err, messages.Invalid) {
				t.Errorf("%v", err)
			}
			return
		}
		if token.Text() != strings.TrimSpace(text) {
			t.Errorf("%q is written %q", text, token.Text())
		}
	})
}

func FuzzParseIdentity(f *testing.F) {
	for _, seed := range []string{"", "troupe://c/ca", "troupe://c/node/n1", "troupe://c/client/a.b", "troupe://c/node/n1/x", "troupe://c/node/", "TROUPE://c/node/n1", "troupe://c@d/node/n1", "troupe://c/node/%6e",
		"troupe://c/client/a?project=p1&role=reader", "troupe://c/client/a?role=reader", "troupe://c/client/a?", "troupe://c/client/a?role=reader&project=p", "troupe://c/node/a?role=reader", "troupe://c/client/a?project="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		id, err := parseIdentity(uri)
		if err != nil {
			return
		}
		want := id.url().String()
		if id.Role == authority {
			want = strings.TrimSuffix(want, "/")
		}
		if want != uri {
			t.Errorf("%q has the identity %+v, which is written %q", uri, id, want)
		}
	})
}

func FuzzOpenSealed(f *testing.F) {
	k := NewClusterKey()
	good := k.seal("secret/ca", []byte("hush"))
	for _, seed := range [][]byte{nil, {1}, good, good[:len(good)-1], NewClusterKey().seal("secret/ca", []byte("hush")), bytes.Repeat([]byte{1}, 40)} {
		f.Add("secret/ca", seed)
	}
	f.Fuzz(func(t *testing.T, name string, sealed []byte) {
		plain, err := k.open(name, sealed)
		if err == nil && (name != "secret/ca" || !bytes.Equal(sealed, good)) {
			t.Errorf("opened %x as %q", sealed, plain)
		}
		if err != nil && !errors.Is(err, ErrForged) && !errors.Is(err, ErrOtherKey) {
			t.Errorf("%v", err)
		}
	})
}

func FuzzParseClusterKey(f *testing.F) {
	for _, seed := range []string{"", "00", strings.Repeat("0", 64), strings.Repeat("g", 64), strings.Repeat("ab", 32) + "\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		k, err := parseClusterKey(raw)
		if err == nil && len(k.secret) != clusterKeyBytes || err != nil && !errors.Is(err, messages.Invalid) {
			t.Errorf("%v", err)
		}
	})
}

func FuzzParseRequest(f *testing.F) {
	csr, err := newRequest(newKey())
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{nil, csr, csr[:len(csr)-1], append(csr, 0), make([]byte, maxRequestBytes+1)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := parseRequest(raw); err != nil && !errors.Is(err, messages.Invalid) {
			t.Errorf("%v", err)
		}
	})
}

func TestCheckClock(t *testing.T) {
	now := time.Now()
	for name, tt := range map[string]struct {
		remote time.Time
		say    string
	}{
		"the same":           {now, ""},
		"at the limit":       {now.Add(MaxClockSkew), ""},
		"at the limit, back": {now.Add(-MaxClockSkew), ""},
		"ahead":              {now.Add(42 * time.Second), "42s ahead"},
		"behind":             {now.Add(-time.Hour), "1h0m0s behind"},
		"no clock at all":    {time.Unix(0, 0), "behind"},
	} {
		err := CheckClock(now, tt.remote)
		if (err != nil) != (tt.say != "") || err != nil && (!errors.Is(err, ErrClock) || !errors.Is(err, messages.Invalid) || !strings.Contains(err.Error(), tt.say)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
