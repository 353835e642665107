package keypair

import (
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	sshKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGmYxw0Qp0DUWlaKcyDWLaE6o5Vnd6QEjdBbTQnDw9cX someone@somewhere"
	sshMD5 = "5c:18:a1:e2:01:83:bb:13:7e:c3:dc:5c:9c:6a:96:0c"
)

func drive(t *testing.T, ms ...proto.Message) (actors.State, *messages.Keypair, error) {
	t.Helper()
	k := Spec()
	st, err := k.Open(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var answer *messages.Keypair
	for _, m := range ms {
		turn, err := k.Step(st, actors.Input{ID: "u", Now: time.Unix(7, 0), Message: m})
		if err != nil {
			return st, nil, err
		}
		st, answer = turn.State, nil
		for _, e := range turn.Effects {
			answer = e.(actors.Reply).Message.(*messages.Keypair)
		}
	}
	return st, answer, nil
}

func TestKeypairs(t *testing.T) {
	a := &messages.CreateKeypair{Name: "a", PublicKey: sshKey, Limit: 2}
	b := &messages.CreateKeypair{Name: "b", PublicKey: sshKey, Limit: 2}
	c := &messages.CreateKeypair{Name: "c", PublicKey: sshKey, Limit: 2}
	for name, tt := range map[string]struct {
		messages []proto.Message
		want     error
	}{
		"kept and shown":            {[]proto.Message{a, &messages.GetKeypair{Name: "a"}}, nil},
		"a name is taken once":      {[]proto.Message{a, a}, messages.Conflict},
		"the limit holds":           {[]proto.Message{a, b, c}, messages.Exhausted},
		"no limit":                  {[]proto.Message{a, b, &messages.CreateKeypair{Name: "c", PublicKey: sshKey, Limit: -1}}, nil},
		"deleting makes room":       {[]proto.Message{a, b, &messages.DeleteKeypair{Name: "a"}, c}, nil},
		"an unknown one":            {[]proto.Message{&messages.GetKeypair{Name: "a"}}, messages.NotFound},
		"deleting an unknown one":   {[]proto.Message{&messages.DeleteKeypair{Name: "a"}}, messages.NotFound},
		"no name":                   {[]proto.Message{&messages.CreateKeypair{PublicKey: sshKey, Limit: 1}}, messages.Invalid},
		"a name too long":           {[]proto.Message{&messages.CreateKeypair{Name: strings.Repeat("n", 256), PublicKey: sshKey, Limit: 1}}, messages.Invalid},
		"no key":                    {[]proto.Message{&messages.CreateKeypair{Name: "a", Limit: 1}}, messages.Invalid},
		"two keys in one":           {[]proto.Message{&messages.CreateKeypair{Name: "a", PublicKey: sshKey + "\n" + sshKey, Limit: 1}}, messages.Invalid},
		"a key too long":            {[]proto.Message{&messages.CreateKeypair{Name: "a", PublicKey: sshKey + strings.Repeat("x", MaxPublicKeyBytes), Limit: 1}}, messages.Invalid},
		"an ssh key is no x509 one": {[]proto.Message{&messages.CreateKeypair{Name: "a", Type: X509, PublicKey: sshKey, Limit: 1}}, messages.Invalid},
		"a type nobody knows":       {[]proto.Message{&messages.CreateKeypair{Name: "a", Type: "gpg", PublicKey: sshKey, Limit: 1}}, messages.Invalid},
		"a message of another kind": {[]proto.Message{&messages.GetHost{}}, messages.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := drive(t, tt.messages...); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestShownAsMade(t *testing.T) {
	_, k, err := drive(t,
		&messages.CreateKeypair{Name: "first", PublicKey: sshKey, Limit: -1},
		&messages.CreateKeypair{Name: "a b", PublicKey: sshKey, Limit: -1},
		&messages.GetKeypair{Name: "a b"})
	if err != nil {
		t.Fatal(err)
	}
	want := &messages.Keypair{
		Name: "a b", Type: SSH, PublicKey: sshKey, UserId: "u",
		Fingerprint: sshMD5, CreatedAt: 7e9, Number: 2,
	}
	if !proto.Equal(k, want) {
		t.Errorf("got  %v\nwant %v", k, want)
	}
}

func TestIndexFollowsTheKeys(t *testing.T) {
	st, _, err := drive(t, &messages.CreateKeypair{Name: "a b", PublicKey: sshKey, Limit: -1})
	if err != nil {
		t.Fatal(err)
	}
	entries := index(st.Value().(State))
	if len(entries) != 1 || entries[0].Key != "keypair/u/a%20b" {
		t.Errorf("entries: %v", entries)
	}
}

func FuzzFingerprint(f *testing.F) {
	f.Add(SSH, sshKey)
	f.Add(X509, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	f.Add(SSH, "ssh-rsa AAAA")
	f.Add(X509, "")
	f.Fuzz(func(t *testing.T, kind, public string) {
		fp, err := Fingerprint(kind, public)
		if err == nil && len(strings.Split(fp, ":")) < 16 {
			t.Errorf("fingerprint %q", fp)
		}
		if err != nil && !errors.Is(err, messages.Invalid) {
			t.Errorf("%v is no refusal", err)
		}
	})
}
