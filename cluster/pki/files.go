package pki

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/troupe-cloud/troupe/messages"
)

// Files is where a process keeps what it is known by.
type Files struct {
	CA, Cert, Key string
	ClusterKey    string // "": a client, which never has it
}

// NodeFiles are those of a node with this data folder.
func NodeFiles(data string) Files {
	dir := filepath.Join(data, "pki")
	return Files{
		CA: filepath.Join(dir, "ca.crt"), Cert: filepath.Join(dir, "node.crt"), Key: filepath.Join(dir, "node.key"),
		ClusterKey: filepath.Join(dir, "cluster.key"),
	}
}

// ClientFiles are those of a client, in a folder of their own.
func ClientFiles(dir string) Files {
	return Files{CA: filepath.Join(dir, "ca.crt"), Cert: filepath.Join(dir, "client.crt"), Key: filepath.Join(dir, "client.key")}
}

// makeDir makes the folder, for its owner only. Others may have to get through
// the one that it is in: a node's guests have their disks there.
func (f Files) makeDir() error {
	dir := filepath.Dir(f.Key)
	err := os.MkdirAll(filepath.Dir(dir), 0o711)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return fmt.Errorf("make the folder of certificates: %w", err)
	}
	return nil
}

// maxFileBytes bounds what is read of any file here.
const maxFileBytes = 256 << 10

// readFile reads a file; one with a secret must be its owner's alone.
func readFile(path string, secret bool) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if secret && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s is open to other users: its mode is %v and must be 0600: %w", path, info.Mode().Perm(), messages.Invalid)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(raw) > maxFileBytes {
		return nil, fmt.Errorf("%s is larger than %d bytes: %w", path, maxFileBytes, messages.Invalid)
	}
	return raw, nil
}

// Modes of the files: what is secret is its owner's alone.
const (
	secretMode = 0o600
	publicMode = 0o644
)

// The types of PEM blocks.
const (
	pemCert = "CERTIFICATE"
	pemKey  = "EC PRIVATE KEY"
)

func encodeCerts(ders ...[]byte) []byte {
	var out []byte
	for _, der := range ders {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: pemCert, Bytes: der})...)
	}
	return out
}

func encodeKeys(keys ...*ecdsa.PrivateKey) ([]byte, error) {
	var out []byte
	for _, key := range keys {
		der, err := x509.MarshalECPrivateKey(key)
		if err != nil {
			return nil, fmt.Errorf("encode a private key: %w", err)
		}
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der})...)
	}
	return out, nil
}

func decodeCerts(raw []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if block.Type != pemCert || err != nil {
			return nil, fmt.Errorf("a block %q that is no certificate: %w", block.Type, messages.Invalid)
		}
		certs = append(certs, c)
	}
	if len(certs) == 0 {
		return nil, fmt.Errorf("there is no certificate: %w", messages.Invalid)
	}
	return certs, nil
}

func decodeKeys(raw []byte) ([]*ecdsa.PrivateKey, error) {
	var keys []*ecdsa.PrivateKey
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		k, err := x509.ParseECPrivateKey(block.Bytes)
		if block.Type != pemKey || err != nil {
			return nil, fmt.Errorf("a block %q that is no private key: %w", block.Type, messages.Invalid)
		}
		keys = append(keys, k)
	}
	return keys, nil
}
