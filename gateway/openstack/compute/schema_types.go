package compute

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/troupe-cloud/troupe/gateway/order"
)

// Limits of what a body may say, as the API reference has them.
const (
	maxName       = 255
	maxTag        = 60
	maxTags       = 50
	maxUserData   = 65535 // characters, in base64
	maxMetadata   = 255   // characters of a key and of a value
	maxInt        = 1<<31 - 1
	maxTrusted    = 50
	maxHostname   = order.MaxHostname
	maxFlavorText = 65535
)

// saying is what a format has to say for itself, in Nova's words.
type saying string

func (s saying) Error() string { return string(s) }

// nameFormats are the formats whose message stands alone.
var nameFormats = []string{"name"}

// formats are those that JSON Schema has not, or not as Nova has them.
var formats = []jsonschema.Format{
	{Name: "name", Validate: ofString(validName)},
	{Name: "printable", Validate: ofString(validText)},
	{Name: "base64", Validate: ofString(validBase64)},
	{Name: "uuid", Validate: ofString(func(s string) error { return unless(uuidLike(s), "%s is not a 'uuid'", s) })},
	{Name: "ip", Validate: ofString(func(s string) error {
		return unless(isIP(s), "%s is not valid under any of the given schemas", s)
	})},
	{Name: "ipv4", Validate: ofString(func(s string) error { return unless(isIP(s) && !strings.Contains(s, ":"), "%s is not a 'ipv4'", s) })},
	{Name: "ipv6", Validate: ofString(func(s string) error { return unless(isIP(s) && strings.Contains(s, ":"), "%s is not a 'ipv6'", s) })},
	{Name: "positive", Validate: between(1, maxInt)},
	{Name: "non-negative", Validate: between(0, maxInt)},
	{Name: "unlimited", Validate: between(-1, maxInt)},
	{Name: "factor", Validate: validFactor},
}

func unless(ok bool, format, s string) error {
	if ok {
		return nil
	}
	return saying(fmt.Sprintf(format, repr(s)))
}

func ofString(check func(string) error) func(any) error {
	return func(v any) error {
		if s, ok := v.(string); ok {
			return check(s)
		}
		return nil
	}
}

const nameRule = saying("An invalid 'name' value was provided. The name must be: " +
	"printable characters. Can not start or end with whitespace.")

func validName(s string) error {
	if strings.TrimSpace(s) != s || validText(s) != nil {
		return nameRule
	}
	return nil
}

// validText takes letters, marks, digits, punctuation, symbols and spaces.
func validText(s string) error {
	for _, c := range s {
		if !unicode.IsGraphic(c) {
			return saying(repr(s) + " does not match the printable characters")
		}
	}
	return nil
}

func validBase64(s string) error {
	_, err := decodeBase64(s)
	return unless(err == nil, "%s is not a 'base64'", s)
}

// lineBreaks takes them away. Building a replacer costs more than using it.
var lineBreaks = strings.NewReplacer("\r", "", "\n", "")

// decodeBase64 reads what clients send: with or without line breaks.
func decodeBase64(s string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(lineBreaks.Replace(s))
}

func isIP(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Zone() == ""
}

// uuidLike says whether s is a UUID as Nova takes it: 32 hex digits, with or
// without hyphens.
func uuidLike[T string | []byte](s T) bool {
	digits := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
			digits++
		case c != '-':
			return false
		}
	}
	return digits == 32
}

// between bounds a number, also one that was sent as a string.
func between(low, high int64) func(any) error {
	return func(v any) error {
		n, ok := numberOf(v)
		switch {
		case !ok:
			return nil // its type or pattern is refused already
		case n.Cmp(big.NewRat(low, 1)) < 0:
			return saying(fmt.Sprintf("%s is less than the minimum of %d", repr(v), low))
		case n.Cmp(big.NewRat(high, 1)) > 0:
			return saying(fmt.Sprintf("%s is greater than the maximum of %d", repr(v), high))
		}
		return nil
	}
}

// maxDigits keeps 1e999999999 from becoming a number of that many digits.
const maxDigits = 40

func numberOf(v any) (*big.Rat, bool) {
	var s string
	switch v := v.(type) {
	case json.Number:
		s = v.String()
	case string:
		s = v
	default:
		return nil, false
	}
	if strings.ContainsAny(s, "eE/") || len(s) > maxDigits {
		return big.NewRat(1<<62, 1), s != "" && s[0] >= '0' && s[0] <= '9'
	}
	return new(big.Rat).SetString(s)
}

// validFactor bounds a flavor's rxtx_factor: positive, within a 32-bit float.
func validFactor(v any) error {
	n, ok := numberOf(v)
	if !ok {
		return nil
	}
	if n.Sign() <= 0 {
		return saying(repr(v) + " is less than or equal to the minimum of 0")
	}
	return nil
}
