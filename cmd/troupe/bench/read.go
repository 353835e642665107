package bench

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	listLimit = 100
	lists     = 300 // looked at one after the other, for the median
)

// read measures GET of one server and of a page of them.
func read(r *run) error {
	c, err := dial(r.cloud.base)
	if err != nil {
		return err
	}
	defer c.close()
	_, body, err := c.do(request("GET", r.cloud.base, "/compute/v2.1/servers?limit=1", r.tokens, ""))
	if err != nil {
		return err
	}
	var answer struct{ Servers []struct{ ID string } }
	if err := json.Unmarshal(body, &answer); err != nil || len(answer.Servers) == 0 {
		return fmt.Errorf("list servers: %w: %.300s", err, body)
	}
	if err := r.gets(answer.Servers[0].ID); err != nil {
		return err
	}
	req := request("GET", r.cloud.base, fmt.Sprintf("/compute/v2.1/servers/detail?limit=%d", listLimit), r.tokens, "")
	took := make([]time.Duration, 0, lists)
	for range lists {
		began := time.Now()
		status, body, err := c.do(req)
		if err != nil || status != http.StatusOK {
			return fmt.Errorf("list servers: status %d, %w: %.300s", status, err, body)
		}
		took = append(took, time.Since(began))
	}
	r.add(fmt.Sprintf("list detail limit=%d of %d: p50 (p99)", listLimit, r.servers),
		fmt.Sprintf("%.1f ms (%.1f ms)", ms(at(took, 50)), ms(at(took, 99))), "p50 < 5 ms", "")
	return nil
}

// gets asks for one server with every client.
func (r *run) gets(id string) error {
	req := request("GET", r.cloud.base, "/compute/v2.1/servers/"+id, r.tokens, "")
	var done atomic.Int64
	began, before := time.Now(), r.usage()
	err := r.all(func(_ int, c *conn) error {
		for time.Since(began) < r.during {
			if err := r.patient(c, req, http.StatusOK); err != nil {
				return err
			}
			done.Add(1)
		}
		return nil
	})
	r.add(fmt.Sprintf("GET one server, %d connections", r.clients),
		perSecond(float64(done.Load())/time.Since(began).Seconds(), "requests"), "20000 requests/s", actorRate+"; "+r.others(before)+"; "+r.each(before, done.Load()))
	return err
}
