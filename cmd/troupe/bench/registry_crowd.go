package bench

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// restTime is for which a crowd is left alone before its memory is read: a cloud
// gives back what a load has taken when it has been calm for a while.
const restTime = 40 * time.Second

func md5Of(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// crowd measures the memory of many connections with instances, and how long a
// change of a config takes to all of them.
func (x *registryCloud) crowd() error {
	empty, err := x.cloud.rssMiB()
	if err != nil {
		return err
	}
	began := time.Now()
	conns, err := x.connects(crowd, idleBuffer)
	defer closeClients(conns)
	if err != nil {
		return err
	}
	connected := time.Since(began)
	if err := x.settle(conns); err != nil {
		return err
	}
	said, err := newEars(conns, "ConfigChangeNotifyRequest")
	if err != nil {
		return err
	}
	defer said.close()
	registered := time.Since(began) - connected
	loaded, err := x.cloud.rssMiB()
	if err != nil {
		return err
	}
	if err := x.pause(restTime); err != nil {
		return err
	}
	rss, err := x.cloud.rssMiB()
	if err != nil {
		return err
	}
	x.add(fmt.Sprintf("memory: %d gRPC connections, %d instances in %d services, each listens to a config", crowd, crowd*crowdInstances, crowdServices),
		fmt.Sprintf("%.0f MiB", rss), "< 300 MB", fmt.Sprintf("%.0f MiB empty, %.0f MiB right after; connected in %.1f s, registered in %.1f s", empty, loaded, connected.Seconds(), registered.Seconds()))
	return x.announce(said)
}

// settle has every connection register its instances and listen to a key.
func (x *registryCloud) settle(conns []*client) error {
	var group sync.WaitGroup
	errs := make(chan error, len(conns))
	slots := make(chan struct{}, x.clients)
	for i, c := range conns {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			err := c.ask("BatchInstanceRequest", batch("crowd"+strconv.Itoa(i%crowdServices), i))
			if err == nil {
				err = c.ask("ConfigBatchListenRequest", `{"listen":true,"configListenContexts":[{"dataId":"crowd","group":"g","tenant":"","md5":""}],"module":"config"}`)
			}
			if err != nil {
				errs <- err
			}
		})
	}
	group.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

// batch registers all instances of one connection in a service.
func batch(service string, conn int) string {
	var b strings.Builder
	b.WriteString(`{"namespace":"public","serviceName":"` + service + `","groupName":"DEFAULT_GROUP","type":"batchRegisterInstance","module":"naming","instances":[`)
	for i := range crowdInstances {
		if i > 0 {
			b.WriteByte(',')
		}
		one := instance(service, conn, 8000+i, "1.0")
		_, one, _ = strings.Cut(one, `"instance":`)
		b.WriteString(strings.TrimSuffix(one, `,"module":"naming"}`))
	}
	b.WriteString("]}")
	return b.String()
}

// announce publishes the key to which all listen.
func (x *registryCloud) announce(said *ears) error {
	const rounds = 5
	publisher, err := x.connect(busyBuffer)
	if err != nil {
		return err
	}
	defer publisher.close()
	var last, every []time.Duration
	before := x.usage()
	for n := range rounds {
		said.expect(crowd, "")
		began := time.Now()
		if err := publisher.ask("ConfigPublishRequest", `{"dataId":"crowd","group":"g","tenant":"","content":"n=`+strconv.Itoa(n)+`","module":"config"}`); err != nil {
			return err
		}
		all, err := said.await()
		if err != nil {
			return err
		}
		var slowest time.Duration
		for _, p := range all {
			took := p.after.Sub(began)
			every, slowest = append(every, took), max(slowest, took)
			if err := p.acknowledge("ConfigChangeNotifyResponse"); err != nil {
				return err
			}
		}
		last = append(last, slowest)
		if err := x.pause(time.Second); err != nil {
			return err
		}
	}
	x.add(fmt.Sprintf("change of a config -> the last of %d connections of gRPC: p50 of %d (all of them: p50)", crowd, rounds),
		fmt.Sprintf("%.0f ms (%.0f ms)", ms(at(last, 50)), ms(at(every, 50))), "< 500 ms", x.others(before)+"; "+x.each(before, rounds*crowd))
	return nil
}
