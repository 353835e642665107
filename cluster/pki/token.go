package pki

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/troupe-cloud/troupe/messages"
)

const (
	tokenIDBytes     = 6
	tokenSecretBytes = 24
	maxTokenBytes    = 1024
	maxTokenAddrs    = 8
)

// Token admits a node. Its text is what an operator carries from one machine to
// another: id.secret.hash.address[,address...]. The hash is the SHA-256 of the
// authority's certificate, by which the new node knows that it speaks to the
// cluster that made the token; at the addresses somebody answers.
type Token struct {
	ID        string
	Secret    []byte
	CAHash    [sha256.Size]byte
	Addresses []string // host:port
}

var tokenText = base64.RawURLEncoding.Strict()

// Text is the token to be carried: a secret.
func (t Token) Text() string {
	return strings.Join([]string{t.ID, tokenText.EncodeToString(t.Secret), tokenText.EncodeToString(t.CAHash[:]), strings.Join(t.Addresses, ",")}, ".")
}

// String keeps the secret out of logs.
func (t Token) String() string { return "join token " + t.ID }

// GoString keeps the secret out of logs.
func (t Token) GoString() string { return t.String() }

func newToken(ca *x509.Certificate, addresses []string) Token {
	b := make([]byte, tokenIDBytes+tokenSecretBytes)
	_, _ = rand.Read(b) // never fails
	return Token{ID: hex.EncodeToString(b[:tokenIDBytes]), Secret: b[tokenIDBytes:], CAHash: sha256.Sum256(ca.Raw), Addresses: addresses}
}

// ParseToken reads the text of a token. Its errors do not quote it.
func ParseToken(text string) (Token, error) {
	bad := func(what string) (Token, error) {
		return Token{}, fmt.Errorf("this is no join token: %s: %w", what, messages.Invalid)
	}
	text = strings.TrimSpace(text)
	if len(text) > maxTokenBytes {
		return bad(fmt.Sprintf("it has more than %d characters", maxTokenBytes))
	}
	parts := strings.SplitN(text, ".", 4)
	if len(parts) != 4 {
		return bad("it has to be id.secret.hash.address, whole and unbroken")
	}
	t := Token{ID: parts[0], Addresses: strings.Split(parts[3], ",")}
	if err := checkTokenID(t.ID); err != nil {
		return bad("its id is damaged")
	}
	secret, err := tokenText.DecodeString(parts[1])
	if err != nil || len(secret) != tokenSecretBytes {
		return bad("its secret is damaged")
	}
	hash, err := tokenText.DecodeString(parts[2])
	if err != nil || len(hash) != len(t.CAHash) {
		return bad("its hash is damaged")
	}
	t.Secret = secret
	copy(t.CAHash[:], hash)
	if err := checkAddresses(t.Addresses); err != nil {
		return bad(messages.Sentence(err))
	}
	return t, nil
}

func checkTokenID(id string) error {
	if raw, err := hex.DecodeString(id); err != nil || len(raw) != tokenIDBytes || hex.EncodeToString(raw) != id {
		return fmt.Errorf("%.40q is no id of a token: %w", id, messages.Invalid)
	}
	return nil
}

// checkAddresses refuses what nobody can dial.
func checkAddresses(addresses []string) error {
	if len(addresses) == 0 || len(addresses) > maxTokenAddrs {
		return fmt.Errorf("a token has 1 to %d addresses, not %d: %w", maxTokenAddrs, len(addresses), messages.Invalid)
	}
	for _, a := range addresses {
		host, port, err := net.SplitHostPort(a)
		n, e := strconv.ParseUint(port, 10, 16)
		if err != nil || e != nil || n == 0 || host == "" || strings.ContainsAny(host, " \t\r\n,/") {
			return fmt.Errorf("%.80q is not HOST:PORT: %w", a, messages.Invalid)
		}
		if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
			return fmt.Errorf("%.80q is every address of a machine and none to dial: %w", a, messages.Invalid)
		}
	}
	return nil
}
