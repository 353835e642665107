package identity

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/messages"
)

// A token is base64url of: version, key id, nonce, sealed TokenClaims. The first
// two are authenticated too. It carries who and where, not what may be done
// there: that is the directory's to say, each time it is looked at anew.
const (
	tokenVersion  = 1
	tokenHead     = 1 + keyIDBytes
	maxTokenBytes = 2048
	auditBytes    = 16
)

var tokenCoding = base64.RawURLEncoding.Strict()

// seal makes the token of c.
func (k *Keys) seal(ctx context.Context, c *messages.TokenClaims) (string, error) {
	plain, err := proto.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("encode token: %w", err)
	}
	id, aead := k.sealing(ctx, time.Now())
	head := make([]byte, tokenHead, tokenHead+chacha20poly1305.NonceSizeX+len(plain)+aead.Overhead())
	head[0] = tokenVersion
	if _, err := hex.Decode(head[1:], []byte(id)); err != nil {
		return "", fmt.Errorf("key id: %w", err)
	}
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	_, _ = rand.Read(nonce) // never fails
	return tokenCoding.EncodeToString(aead.Seal(append(head, nonce...), nonce, plain, head)), nil
}

// open is the claims of token, and the id of the key it was sealed with.
// Whether they still hold is for others to say. Refusals wrap messages.Denied.
func (k *Keys) open(ctx context.Context, token string) (*messages.TokenClaims, string, error) {
	if len(token) > maxTokenBytes {
		return nil, "", fmt.Errorf("the token is too long: %w", messages.Denied)
	}
	raw, err := tokenCoding.DecodeString(token)
	if err != nil || len(raw) < tokenHead+chacha20poly1305.NonceSizeX || raw[0] != tokenVersion {
		return nil, "", fmt.Errorf("this is no token: %w", messages.Denied)
	}
	id := hex.EncodeToString(raw[1:tokenHead])
	aead, err := k.find(ctx, id, time.Now())
	if err != nil {
		return nil, "", err
	}
	nonce, sealed := raw[tokenHead:tokenHead+chacha20poly1305.NonceSizeX], raw[tokenHead+chacha20poly1305.NonceSizeX:]
	plain, err := aead.Open(nil, nonce, sealed, raw[:tokenHead])
	if err != nil {
		return nil, "", fmt.Errorf("the token is forged or damaged: %w", messages.Denied)
	}
	c := &messages.TokenClaims{}
	if err := proto.Unmarshal(plain, c); err != nil || len(c.AuditIds) == 0 {
		return nil, "", fmt.Errorf("the token is of another version: %w", messages.Denied)
	}
	return c, id, nil
}

// newAuditID names one token without being one.
func newAuditID() string { return base64.RawURLEncoding.EncodeToString(random(auditBytes)) }

// newID is a random id in the form of identity's: 32 hexadecimal digits.
func newID() string { return hex.EncodeToString(random(16)) }

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// stamp is a time as the API shows it.
func stamp(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.000000Z") }
