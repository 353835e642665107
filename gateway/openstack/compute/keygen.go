package compute

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/ssh"

	kind "github.com/troupe-cloud/troupe/actors/keypair"
)

// generated is a key pair on its way to its user.
type generated struct{ public, private string }

// generate makes a key pair of a type; the empty type is ssh.
func generate(keyType, user string) (generated, error) {
	if keyType == kind.X509 {
		return generateX509(user)
	}
	return generateSSH()
}

// rsaBits is as strong as Nova's keys; RSA rather than Ed25519, because clients
// expect a private key in PEM that any ssh reads.
const rsaBits = 2048

func generateSSH() (generated, error) {
	key, err := rsa.GenerateKey(rand.Reader, rsaBits)
	if err != nil {
		return generated{}, fmt.Errorf("make a key: %w", err)
	}
	public, err := ssh.NewPublicKey(&key.PublicKey)
	if err != nil {
		return generated{}, fmt.Errorf("make a key: %w", err)
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	line := ssh.MarshalAuthorizedKey(public)
	return generated{string(line[:len(line)-1]) + " Generated-by-Troupe\n", string(private)}, nil
}

// Of the certificates with which Windows guests let users in (WinRM): client
// authentication for the user principal name user@localhost, for ten years.
var (
	upnType        = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3}
	subjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}
)

const (
	certificateYears = 10
	serialBits       = 127
)

func generateX509(user string) (generated, error) {
	key, err := rsa.GenerateKey(rand.Reader, rsaBits)
	if err != nil {
		return generated{}, fmt.Errorf("make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits))
	if err != nil {
		return generated{}, fmt.Errorf("make a serial number: %w", err)
	}
	alt, err := principalName(user + "@localhost")
	if err != nil {
		return generated{}, err
	}
	now := time.Now()
	cert := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: user},
		NotBefore: now, NotAfter: now.AddDate(certificateYears, 0, 0),
		ExtKeyUsage:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		ExtraExtensions: []pkix.Extension{{Id: subjectAltName, Value: alt}},
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		return generated{}, fmt.Errorf("make a certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return generated{}, fmt.Errorf("encode a key: %w", err)
	}
	return generated{
		public:  string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		private: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
	}, nil
}

// principalName is a subjectAltName with one otherName (RFC 5280, 4.2.1.6).
func principalName(name string) ([]byte, error) {
	type otherName struct {
		Type  asn1.ObjectIdentifier
		Value string `asn1:"utf8,explicit,tag:0"`
	}
	raw, err := asn1.MarshalWithParams(otherName{upnType, name}, "tag:0")
	if err != nil {
		return nil, fmt.Errorf("encode a name: %w", err)
	}
	return asn1.Marshal([]asn1.RawValue{{FullBytes: raw}})
}
