package pki

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/messages/durable"
)

const (
	clusterKeyBytes = 32
	keyIDBytes      = 8

	// A sealed secret is: version, key id, nonce, ciphertext with its tag.
	sealedVersion = 1
	sealedHead    = 1 + keyIDBytes
	nonceBytes    = 12
	tagBytes      = 16
)

// ErrOtherKey means that a secret was sealed with a key that is not here.
var ErrOtherKey = fmt.Errorf("the secret was sealed with another cluster key: %w", messages.Denied)

// ErrForged means that a sealed secret is damaged, forged or another's.
var ErrForged = fmt.Errorf("the sealed secret is damaged, or stands under another name than it was sealed for: %w", messages.Invalid)

// ClusterKey seals the secrets that stand in the store, so that who reads the
// store does not know them. It is got at init or join and stands in a file.
type ClusterKey struct {
	id     string // hex; says nothing about the key
	secret []byte
	aead   cipher.AEAD
}

// NewClusterKey makes a random key.
func NewClusterKey() *ClusterKey {
	secret := make([]byte, clusterKeyBytes)
	_, _ = rand.Read(secret) // never fails
	k, err := clusterKey(secret)
	if err != nil {
		panic(err) // only the length could be wrong
	}
	return k
}

func clusterKey(secret []byte) (*ClusterKey, error) {
	if len(secret) != clusterKeyBytes {
		return nil, fmt.Errorf("a cluster key has %d bytes, not %d: %w", clusterKeyBytes, len(secret), messages.Invalid)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, fmt.Errorf("cluster key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("cluster key: %w", err)
	}
	sum := sha256.Sum256(append([]byte("troupe cluster key id\x00"), secret...))
	return &ClusterKey{id: hex.EncodeToString(sum[:keyIDBytes]), secret: secret, aead: aead}, nil
}

// ID tells keys apart without saying what they are.
func (k *ClusterKey) ID() string { return k.id }

// String keeps the key out of logs.
func (k *ClusterKey) String() string { return "cluster key " + k.id }

// GoString keeps the key out of logs.
func (k *ClusterKey) GoString() string { return k.String() }

// ReadClusterKey reads the key of a node. NotFound if the node has none.
func ReadClusterKey(f Files) (*ClusterKey, error) {
	raw, err := readFile(f.ClusterKey, true)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is missing: this node does not hold the cluster's key: %w", f.ClusterKey, messages.NotFound)
	}
	if err != nil {
		return nil, err
	}
	k, err := parseClusterKey(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.ClusterKey, err)
	}
	return k, nil
}

// parseClusterKey reads the key's file: 64 hexadecimal digits and a line feed.
func parseClusterKey(raw []byte) (*ClusterKey, error) {
	secret, err := hex.DecodeString(strings.TrimSpace(string(raw)))
	if err != nil {
		return nil, fmt.Errorf("this is no cluster key: %w", messages.Invalid) // err would quote the key
	}
	return clusterKey(secret)
}

func (k *ClusterKey) write(f Files) error {
	if err := f.makeDir(); err != nil {
		return err
	}
	return durable.Replace(f.ClusterKey, []byte(hex.EncodeToString(k.secret)+"\n"), secretMode)
}

// seal encrypts plain for the store's key name: AES-256-GCM, with the key's id
// and the name authenticated.
func (k *ClusterKey) seal(name string, plain []byte) []byte {
	out := make([]byte, sealedHead+nonceBytes, sealedHead+nonceBytes+len(plain)+tagBytes)
	out[0] = sealedVersion
	_, _ = hex.Decode(out[1:sealedHead], []byte(k.id)) // our own
	_, _ = rand.Read(out[sealedHead:])                 // never fails
	return k.aead.Seal(out, out[sealedHead:], plain, sealedFor(out[:sealedHead], name))
}

// open decrypts what seal made for name.
func (k *ClusterKey) open(name string, sealed []byte) ([]byte, error) {
	if len(sealed) < sealedHead+nonceBytes+tagBytes || sealed[0] != sealedVersion {
		return nil, fmt.Errorf("%s: %w", name, ErrForged)
	}
	if id := hex.EncodeToString(sealed[1:sealedHead]); id != k.id {
		return nil, fmt.Errorf("%s needs the key %s, and here is %s: %w", name, id, k.id, ErrOtherKey)
	}
	nonce, rest := sealed[sealedHead:sealedHead+nonceBytes], sealed[sealedHead+nonceBytes:]
	plain, err := k.aead.Open(nil, nonce, rest, sealedFor(sealed[:sealedHead], name))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, ErrForged)
	}
	return plain, nil
}

// sealedFor is what is authenticated beside the secret.
func sealedFor(head []byte, name string) []byte {
	return append(append([]byte("troupe sealed secret\x00"), head...), name...)
}
