package compute

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// The compute API takes numbers and booleans also as strings, and some strings
// also as numbers. The schemas have checked them before they are read here.

type flexInt int64

func (n *flexInt) UnmarshalJSON(raw []byte) error {
	s := strings.Trim(string(raw), `"`)
	if s == "null" {
		return nil
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		f, err := strconv.ParseFloat(s, 64) // 1.0 is an integer to JSON Schema
		if err != nil || f != float64(int64(f)) {
			return fmt.Errorf("%s is not an integer", clip(s))
		}
		v = int64(f)
	}
	*n = flexInt(v)
	return nil
}

type flexFloat float64

func (n *flexFloat) UnmarshalJSON(raw []byte) error {
	v, err := strconv.ParseFloat(strings.Trim(string(raw), `"`), 32)
	*n = flexFloat(v)
	return err
}

type flexBool bool

func (b *flexBool) UnmarshalJSON(raw []byte) error {
	v, err := truth(strings.Trim(string(raw), `"`))
	*b = flexBool(v)
	return err
}

// truth reads a boolean as OpenStack writes it.
func truth(s string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "1", "t", "true", "on", "y", "yes":
		return true, nil
	case "0", "f", "false", "off", "n", "no":
		return false, nil
	}
	return false, badRequest("Unrecognized value '%s', acceptable values are: '0', '1', 'f', 'false', 'n', 'no', "+
		"'off', 'on', 't', 'true', 'y', 'yes'", clip(s))
}

// flexString takes a number for its digits.
type flexString string

func (s *flexString) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] != '"' {
		if string(raw) != "null" {
			*s = flexString(raw)
		}
		return nil
	}
	var v string
	err := json.Unmarshal(raw, &v)
	*s = flexString(v)
	return err
}
