package consul

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// names lists the entries whose names begin with name, in order, splitAt+1 at most.
func (s *Store) names(ctx context.Context, name string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Patience)
	defer cancel()
	for try := 0; ; try++ {
		names, err := s.namesOnce(ctx, try, name)
		if err == nil {
			return names, nil
		}
		if classify(err) != faultFinal {
			s.transport.move()
		}
		if classify(err) == faultFinal || !pause(ctx, try) {
			return nil, explain(err)
		}
	}
}

func (s *Store) namesOnce(ctx context.Context, try int, name string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout<<min(try, 4))
	defer cancel() // which ends an answer that is not read to its end, too
	resp, err := s.getKeys(ctx, name, "?keys&consistent")
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusNotFound {
		return nil, nil
	}
	return decodeNames(resp.Body, splitAt+1)
}

var errNoNames = errors.New("the answer of Consul is no list of names")

// decodeNames reads a JSON array of strings, limit at most.
func decodeNames(r io.Reader, limit int) (names []string, err error) {
	d := json.NewDecoder(r)
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return nil, errors.Join(errNoNames, err)
	}
	for len(names) < limit && d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if !ok {
			return nil, errors.Join(errNoNames, err)
		}
		names = append(names, name)
	}
	return names, nil
}
