package keypair

import (
	"crypto/md5"  //nolint:gosec // the API shows MD5 fingerprints; nothing is trusted because of them
	"crypto/sha1" //nolint:gosec // likewise for certificates
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/troupe-cloud/troupe/messages"
)

// The types of keypair that the compute API knows.
const (
	SSH  = "ssh"
	X509 = "x509"
)

// Fingerprint reads a public key and says what the compute API shows of it: for
// ssh the MD5 of the key, for x509 the SHA-1 of the certificate, as pairs of hex
// digits with colons between. A key that cannot be read is Invalid.
func Fingerprint(kind, public string) (string, error) {
	if len(public) > MaxPublicKeyBytes {
		return "", fmt.Errorf("keypair data is invalid: the public key has more than %d bytes: %w", MaxPublicKeyBytes, messages.Invalid)
	}
	switch kind {
	case SSH:
		key, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(public))
		if err != nil || len(strings.TrimSpace(string(rest))) > 0 {
			return "", fmt.Errorf("keypair data is invalid: failed to generate fingerprint: %w", messages.Invalid)
		}
		sum := md5.Sum(key.Marshal()) //nolint:gosec // see above
		return colons(sum[:]), nil
	case X509:
		block, _ := pem.Decode([]byte(public))
		if block == nil || block.Type != "CERTIFICATE" {
			return "", fmt.Errorf("keypair data is invalid: failed to generate X509 fingerprint, no PEM certificate: %w", messages.Invalid)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return "", fmt.Errorf("keypair data is invalid: failed to generate X509 fingerprint: %w", messages.Invalid)
		}
		sum := sha1.Sum(cert.Raw) //nolint:gosec // see above
		return colons(sum[:]), nil
	}
	return "", fmt.Errorf("keypair data is invalid: specified Keypair type %q is invalid: %w", kind, messages.Invalid)
}

func colons(sum []byte) string {
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = hex.EncodeToString([]byte{b})
	}
	return strings.Join(pairs, ":")
}
