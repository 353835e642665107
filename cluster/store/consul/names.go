package consul

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// countNames counts the entries whose names begin with name, splitAt+1 at most.
func (s *Store) countNames(ctx context.Context, name string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Patience)
	defer cancel()
	for try := 0; ; try++ {
		n, err := s.countOnce(ctx, name)
		if err == nil {
			return n, nil
		}
		if classify(err) != faultFinal {
			s.transport.move()
		}
		if classify(err) == faultFinal || !pause(ctx, try) {
			return 0, explain(err)
		}
	}
}

func (s *Store) countOnce(ctx context.Context, name string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel() // which ends an answer that is not read to its end, too
	resp, err := s.getKeys(ctx, name, "?keys&consistent")
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusNotFound {
		return 0, nil
	}
	return countStrings(resp.Body)
}

var errNoNames = errors.New("Consul's answer is no list of names")

// countStrings counts the members of a JSON array of strings, splitAt+1 at most.
func countStrings(r io.Reader) (n int, err error) {
	d := json.NewDecoder(r)
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return 0, errors.Join(errNoNames, err)
	}
	for n <= splitAt && d.More() {
		t, err := d.Token()
		if _, ok := t.(string); !ok {
			return 0, errors.Join(errNoNames, err)
		}
		n++
	}
	return n, nil
}
