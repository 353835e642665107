package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/troupe-cloud/troupe/messages"
)

// A token is a JWT (RFC 7519, signed as in RFC 7515 with HMAC-SHA-256, for the key
// has 256 bits). Its key is derived from the token keys of the installation, which
// are random, shared by all gateways and kept over restarts; its header names it.
const (
	algorithm     = "HS256"
	keyPurpose    = "nacos access token"
	maxTokenBytes = 2048
)

// claims are what a token says. The times beside exp and iat are in nanoseconds,
// for a token may be as old as a change of the password is.
type claims struct {
	Subject string `json:"sub"` // the user's name
	Expires int64  `json:"exp"` // Unix seconds
	Issued  int64  `json:"iat"` // Unix seconds
	Nanos   int64  `json:"ins"` // the same in nanoseconds
	UserID  string `json:"uid"`
	ID      string `json:"jti"`

	key string // id of the key that signed it
}

type header struct {
	Algorithm string `json:"alg"`
	Type      string `json:"typ"`
	Key       string `json:"kid"`
}

var coding = base64.RawURLEncoding.Strict()

// sign makes the token of c under a key.
func sign(c claims, id string, secret []byte) (string, error) {
	head, err := json.Marshal(header{algorithm, "JWT", id})
	if err != nil {
		return "", fmt.Errorf("encode token: %w", err)
	}
	body, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("encode token: %w", err)
	}
	signed := coding.EncodeToString(head) + "." + coding.EncodeToString(body)
	return signed + "." + coding.EncodeToString(mac(secret, signed)), nil
}

func mac(secret []byte, of string) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(of))
	return h.Sum(nil)
}

// token is a JWT that was taken apart; nothing of it is believed yet.
type token struct {
	key       string
	signed    string // what the signature is of
	body      []byte
	signature []byte
}

var errForm = fmt.Errorf("this is no token: %w", messages.Denied)

// parse takes a token apart. One that names another algorithm is none.
func parse(raw string) (token, error) {
	if len(raw) > maxTokenBytes {
		return token{}, errForm
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return token{}, errForm
	}
	var decoded [3][]byte
	for i, p := range parts {
		var err error
		if decoded[i], err = coding.DecodeString(p); err != nil {
			return token{}, errForm
		}
	}
	var h header
	if err := json.Unmarshal(decoded[0], &h); err != nil || h.Algorithm != algorithm || h.Key == "" {
		return token{}, errForm
	}
	return token{h.Key, parts[0] + "." + parts[1], decoded[1], decoded[2]}, nil
}

// claims are what t says, if secret signed it.
func (t token) claims(secret []byte) (claims, error) {
	var c claims
	if !hmac.Equal(mac(secret, t.signed), t.signature) {
		return c, fmt.Errorf("the token is forged or damaged: %w", messages.Denied)
	}
	if err := json.Unmarshal(t.body, &c); err != nil || c.UserID == "" || c.ID == "" {
		return c, errForm
	}
	c.key = t.key
	return c, nil
}
