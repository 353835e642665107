package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/hypervisors"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/quotasets"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/imagedata"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
)

var killSeed = flag.Uint64("kill-seed", 0, "seed of the moments of kill -9; 0: a new one")

const (
	killServers = 50 // created; every second one is deleted again
	killUsers   = 4  // at once
)

// TestKill kills the cloud with kill -9 again and again while users create and
// delete servers. After the last start everything that was promised is there,
// and nothing else is.
func TestKill(t *testing.T) {
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("again with: go test ./e2e -run TestKill -kill-seed=%d", seed)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	k := &killing{cloud: newCloud(t, "--driver", "sim", "--sim-hosts", "5", "--log-level", "warn"), ctx: ctx}
	k.prepare(t)
	users := make(chan struct{})
	go func() {
		defer close(users)
		k.work()
	}()
	kills := k.killUntil(users, rand.New(rand.NewPCG(seed, 1)))
	if err := errors.Join(k.failed...); err != nil {
		t.Fatal(err)
	}
	t.Logf("killed %d times in %d requests", kills, k.requests.Load())
	k.settled(t)
}

// killing is the cloud under fire and what its users believe.
type killing struct {
	cloud   *cloud
	ctx     context.Context
	image   string
	flavor  string
	deleted sync.Map // names

	up       sync.RWMutex // held while the cloud is restarted
	requests atomic.Int64
	beat     chan struct{} // told of every request
	failed   []error
	mu       sync.Mutex
}

func (k *killing) prepare(t *testing.T) {
	k.beat, k.flavor = make(chan struct{}, 1), "t1.nano"
	p, err := k.cloud.login(k.ctx)
	if err != nil {
		t.Fatal(err)
	}
	glance, err := openstack.NewImageV2(p, gophercloud.EndpointOpts{})
	if err != nil {
		t.Fatal(err)
	}
	i, err := images.Create(k.ctx, glance, images.CreateOpts{Name: "empty", DiskFormat: "raw", ContainerFormat: "bare"}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	k.image = i.ID
	if err := imagedata.Upload(k.ctx, glance, i.ID, bytes.NewReader(make([]byte, 1<<20))).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	c, err := k.cloud.compute(k.ctx)
	if err != nil {
		t.Fatal(err)
	}
	unlimited := -1
	project, err := k.project(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := quotasets.Update(k.ctx, c, project, quotasets.UpdateOpts{Instances: &unlimited, Cores: &unlimited, RAM: &unlimited}).Extract(); err != nil {
		t.Fatal(err)
	}
}

func (k *killing) project(c *gophercloud.ServiceClient) (string, error) {
	i, err := openstack.NewImageV2(c.ProviderClient, gophercloud.EndpointOpts{})
	if err != nil {
		return "", err
	}
	image, err := images.Get(k.ctx, i, k.image).Extract()
	if err != nil {
		return "", err
	}
	return image.Owner, nil
}

// work is what the users do.
func (k *killing) work() {
	var all sync.WaitGroup
	numbers := make(chan int)
	for range killUsers {
		all.Go(func() {
			for n := range numbers {
				name := fmt.Sprintf("s%02d", n)
				err := k.insist(func(c *gophercloud.ServiceClient) error { return k.create(c, name) })
				if err == nil && n%2 == 1 {
					k.deleted.Store(name, true)
					err = k.insist(func(c *gophercloud.ServiceClient) error { return k.remove(c, name) })
				}
				if err != nil {
					k.mu.Lock()
					k.failed = append(k.failed, fmt.Errorf("%s: %w", name, err))
					k.mu.Unlock()
				}
			}
		})
	}
	for n := range killServers {
		numbers <- n
	}
	close(numbers)
	all.Wait()
}

// insist repeats what a user wants as long as the cloud is away, as a person
// would. What it answers otherwise counts.
func (k *killing) insist(do func(*gophercloud.ServiceClient) error) error {
	for {
		k.up.RLock()
		c, err := k.cloud.compute(k.ctx)
		k.up.RUnlock()
		if err == nil {
			k.requests.Add(1)
			select {
			case k.beat <- struct{}{}:
			default:
			}
			err = do(c)
		}
		var answer gophercloud.ErrUnexpectedResponseCode
		if err == nil || k.ctx.Err() != nil || errors.As(err, &answer) && answer.Actual < 500 {
			return err
		}
	}
}

// create looks first whether an earlier try got through.
func (k *killing) create(c *gophercloud.ServiceClient, name string) error {
	found, err := k.find(c, name)
	if err != nil || len(found) > 0 {
		return err
	}
	_, err = servers.Create(k.ctx, c, servers.CreateOpts{Name: name, ImageRef: k.image, FlavorRef: k.flavor, Networks: "auto"}, nil).Extract()
	return err
}

func (k *killing) remove(c *gophercloud.ServiceClient, name string) error {
	found, err := k.find(c, name)
	for _, s := range found {
		err = errors.Join(err, servers.Delete(k.ctx, c, s.ID).ExtractErr())
	}
	if gophercloud.ResponseCodeIs(err, http.StatusNotFound) {
		return nil
	}
	return err
}

func (k *killing) find(c *gophercloud.ServiceClient, name string) ([]servers.Server, error) {
	pages, err := servers.List(c, servers.ListOpts{Name: "^" + name + "$"}).AllPages(k.ctx)
	if err != nil {
		return nil, err
	}
	return servers.ExtractServers(pages)
}

// killUntil kills the cloud after a random number of requests, starts it again,
// and does so until the users are done.
func (k *killing) killUntil(done <-chan struct{}, dice *rand.Rand) (kills int) {
	for {
		for range 1 + dice.IntN(12) {
			select {
			case <-done:
				return kills
			case <-k.beat:
			}
		}
		spin(time.Duration(dice.IntN(int(20 * time.Millisecond)))) // somewhere in the requests under way
		k.up.Lock()
		k.cloud.kill()
		kills++
		err := k.cloud.start()
		k.up.Unlock()
		if err != nil {
			k.mu.Lock()
			k.failed = append(k.failed, err)
			k.mu.Unlock()
			return kills
		}
	}
}

func spin(d time.Duration) { <-time.After(d) }

// settled waits until no task is left, and compares what is there with what the
// users were promised.
func (k *killing) settled(t *testing.T) {
	t.Helper()
	c, err := k.cloud.compute(k.ctx)
	if err != nil {
		t.Fatal(err)
	}
	project, err := k.project(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(k.ctx, 3*time.Minute)
	defer cancel()
	err = eventually(ctx, "everything settles", func() (bool, error) {
		pages, err := servers.List(c, servers.ListOpts{}).AllPages(ctx)
		if err != nil {
			return false, err
		}
		all, err := servers.ExtractServers(pages)
		if err != nil {
			return false, err
		}
		seen := map[string]string{}
		for _, s := range all {
			if s.TaskState != "" || s.Status != "ACTIVE" {
				return false, fmt.Errorf("%s (%s) is %s/%s: %s", s.Name, s.ID, s.Status, s.TaskState, s.Fault.Message)
			}
			if other := seen[s.Name]; other != "" {
				return false, fmt.Errorf("%s is there twice", s.Name)
			}
			seen[s.Name] = s.ID
		}
		for n := range killServers {
			name := fmt.Sprintf("s%02d", n)
			if _, gone := k.deleted.Load(name); gone == (seen[name] != "") {
				return false, fmt.Errorf("%s: deleted %v, but there %v", name, gone, seen[name] != "")
			}
		}
		return k.nothingElse(c, project, len(all))
	})
	if err != nil {
		t.Error(err)
	}
}

// nothingElse compares hypervisors and quota with the number of servers.
func (k *killing) nothingElse(c *gophercloud.ServiceClient, project string, want int) (bool, error) {
	_, running, ram, err := inUse(k.ctx, c)
	if err != nil {
		return false, err
	}
	q, err := quotasets.GetDetail(k.ctx, c, project).Extract()
	if err != nil {
		return false, err
	}
	if running != want || ram != want*64 || q.Instances.InUse != want {
		return false, fmt.Errorf("%d servers, but %d on hosts with %d MiB, and %d in the quota", want, running, ram, q.Instances.InUse)
	}
	return true, nil
}

// inUse is how many hypervisors there are, and what they carry all together: machines
// and MiB.
func inUse(ctx context.Context, nova *gophercloud.ServiceClient) (hosts, running, ram int, err error) {
	c := *nova
	c.Microversion = "2.53" // later ones do not say how many run
	pages, err := hypervisors.List(&c, nil).AllPages(ctx)
	if err != nil {
		return 0, 0, 0, err
	}
	all, err := hypervisors.ExtractHypervisors(pages)
	for _, h := range all {
		running, ram = running+h.RunningVMs, ram+h.MemoryMBUsed
	}
	return len(all), running, ram, err
}

func has(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}
