package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/quotasets"
	"github.com/gophercloud/gophercloud/v2/openstack/config"
	"github.com/gophercloud/gophercloud/v2/openstack/config/clouds"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/imagedata"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
)

const (
	flavor = "t1.nano"
	// settleLook is the pause between two looks whether all are ACTIVE.
	settleLook = 100 * time.Millisecond
	// busyPause is what a client waits when it was answered 503.
	busyPause = 50 * time.Millisecond
	maxBusy   = 1000 // times, for one request
)

// login makes a client of the cloud, a project without limits and an image.
func (r *run) login() (image string, err error) {
	auth, _, _, err := clouds.Parse(clouds.WithCloudName("troupe"), clouds.WithLocations(filepath.Join(r.home(), "clouds.yaml")))
	if err != nil {
		return "", err
	}
	p, err := config.NewProviderClient(r.ctx, auth)
	if err != nil {
		return "", err
	}
	r.tokens = p.Token()
	glance, err := openstack.NewImageV2(p, gophercloud.EndpointOpts{})
	if err != nil {
		return "", err
	}
	i, err := images.Create(r.ctx, glance, images.CreateOpts{Name: "bench", DiskFormat: "raw", ContainerFormat: "bare"}).Extract()
	if err != nil {
		return "", err
	}
	if err := imagedata.Upload(r.ctx, glance, i.ID, bytes.NewReader(make([]byte, 1<<20))).ExtractErr(); err != nil {
		return "", err
	}
	nova, err := openstack.NewComputeV2(p, gophercloud.EndpointOpts{})
	if err != nil {
		return "", err
	}
	none := -1
	_, err = quotasets.Update(r.ctx, nova, i.Owner, quotasets.UpdateOpts{Instances: &none, Cores: &none, RAM: &none}).Extract()
	return i.ID, err
}

// create measures from the first POST until the last server is ACTIVE.
func create(r *run) error {
	var err error
	if r.cloud, err = startCloud(filepath.Join(r.dir, "cloud"), r.hosts); err != nil {
		return err
	}
	image, err := r.login()
	if err != nil {
		return err
	}
	began, before := time.Now(), r.usage()
	took, err := r.post(image, r.servers, 0)
	if err != nil {
		return err
	}
	posted := time.Since(began)
	if err := r.built(); err != nil {
		return err
	}
	all := time.Since(began)
	if err := r.sound(); err != nil {
		return err
	}
	n := float64(len(took))
	r.add(fmt.Sprintf("create -> ACTIVE: %d servers, %d clients, %d hosts", r.servers, r.clients, r.hosts),
		perSecond(n/all.Seconds(), "servers"), "1000 servers/s", storeRate+"; "+r.others(before)+"; "+r.each(before, int64(len(took))))
	r.add("POST /servers alone", perSecond(n/posted.Seconds(), "requests"), "", actorRate)
	r.add("POST /servers, all it can take: p50 (p99)", percentiles(took), "", "")
	before = r.usage()
	if took, err = r.post(image, r.servers/2, steadyRate); err != nil {
		return err
	}
	r.add(fmt.Sprintf("POST /servers at %d/s: p50 (p99)", steadyRate), percentiles(took), "p99 < 50 ms", r.others(before))
	return r.active()
}

// steadyRate is the rate, in requests a second, at which a POST's time is
// measured. Clients that send as fast as they are answered measure their own
// queue: 64 of them at 1,300 a second wait 49 ms each, whatever a request takes.
const steadyRate = 1000

func percentiles(took []time.Duration) string {
	return fmt.Sprintf("%.1f ms (%.1f ms)", ms(at(took, 50)), ms(at(took, 99)))
}

// post creates n servers with all clients at once: as fast as they are answered,
// or with a rate, each at its time, and measured from that time on, so that a
// request that had to wait for its client counts its waiting.
func (r *run) post(image string, n, rate int) ([]time.Duration, error) {
	var left atomic.Int64
	left.Store(int64(n))
	start := time.Now()
	times := make([][]time.Duration, r.clients)
	r.newest = make([]string, r.clients)
	err := r.all(func(client int, c *conn) error {
		for i := left.Add(-1); i >= 0; i = left.Add(-1) {
			body := fmt.Sprintf(`{"server":{"name":"bench-%d","imageRef":%q,"flavorRef":%q,"networks":"auto"}}`, i, image, flavor)
			req := request("POST", c.base, "/compute/v2.1/servers", r.tokens, body)
			began := time.Now()
			if rate > 0 {
				began = start.Add(time.Duration(int64(n)-i) * time.Second / time.Duration(rate))
				if err := r.pause(time.Until(began)); err != nil {
					return err
				}
			}
			if err := r.patient(c, req, http.StatusAccepted); err != nil {
				return err
			}
			times[client] = append(times[client], time.Since(began))
		}
		if len(times[client]) == 0 {
			return nil
		}
		var answer struct{ Server struct{ ID string } }
		err := json.Unmarshal(c.body, &answer)
		r.newest[client] = answer.Server.ID
		return err
	})
	var took []time.Duration
	for _, t := range times {
		took = append(took, t...)
	}
	return took, err
}

// patient sends a request again when the cloud says that it has too much to do.
func (r *run) patient(c *conn, req []byte, want int) error {
	for range maxBusy {
		status, body, err := c.do(req)
		switch {
		case err != nil:
			return err
		case status == want:
			return nil
		case status != http.StatusServiceUnavailable:
			return fmt.Errorf("status %d: %.300s", status, body)
		}
		if err := r.pause(busyPause); err != nil {
			return err
		}
	}
	return errors.New("the cloud was too busy for too long")
}

// all runs do with every client at once, each with a connection of its own; the
// gateways take turns.
func (r *run) all(do func(client int, c *conn) error) error {
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	var group sync.WaitGroup
	errs := make([]error, r.clients)
	gateways := r.gateways()
	for i := range r.clients {
		c, err := dial(gateways[i%len(gateways)])
		if err != nil {
			return err
		}
		stop := context.AfterFunc(ctx, c.close)
		group.Go(func() {
			defer c.close()
			defer stop()
			errs[i] = do(i, c)
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// built waits until no server is being built. The answer that says so has looked at
// all of them. To find none costs a cloud what dozens of creates do; so it is not asked
// before the newest server of each client is built.
func (r *run) built() error {
	if err := r.newestBuilt(); err != nil {
		return err
	}
	for {
		n, err := r.count("BUILD")
		if n == 0 || err != nil {
			return err
		}
		if err := r.pause(settleLook); err != nil {
			return err
		}
	}
}

// newestBuilt waits until what each client created last is not being built.
func (r *run) newestBuilt() error {
	c, err := dial(r.gateways()[0])
	if err != nil {
		return err
	}
	defer c.close()
	for _, id := range r.newest {
		for id != "" {
			var answer struct{ Server struct{ Status string } }
			if err := c.get(request("GET", c.base, "/compute/v2.1/servers/"+id, r.tokens, ""), &answer); err != nil {
				return err
			}
			if answer.Server.Status != "BUILD" {
				break
			}
			if err := r.pause(settleLook); err != nil {
				return err
			}
		}
	}
	return nil
}

// active waits until no server is being built; one in ERROR is an error.
func (r *run) active() error {
	if err := r.built(); err != nil {
		return err
	}
	return r.sound()
}

// sound is an error if a server is in ERROR.
func (r *run) sound() error {
	n, err := r.count("ERROR")
	if err == nil && n > 0 {
		return errors.New("servers went to ERROR")
	}
	return err
}

// count says whether there is a server with the status: 0 or 1.
func (r *run) count(status string) (int, error) {
	c, err := dial(r.gateways()[0])
	if err != nil {
		return 0, err
	}
	defer c.close()
	code, body, err := c.do(request("GET", c.base, "/compute/v2.1/servers?limit=1&status="+status, r.tokens, ""))
	if err != nil {
		return 0, err
	}
	var answer struct{ Servers []struct{} }
	if err := json.Unmarshal(body, &answer); err != nil || code != http.StatusOK {
		return 0, fmt.Errorf("list servers: status %d, %w: %.300s", code, err, body)
	}
	return len(answer.Servers), nil
}
