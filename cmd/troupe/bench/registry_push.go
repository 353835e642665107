package bench

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// changePause is between two changes whose way is measured: they are seldom
	// enough not to be merged.
	changePause = 150 * time.Millisecond
	// heardTime is how long anybody waits to hear of a change.
	heardTime = 30 * time.Second
)

// subscribed measures how long a change of a service takes to those who subscribe
// to it, each on a connection of its own. They acknowledge once all have heard: a
// thousand clients would have processors of their own for that. Changes during which the
// hypervisor gave the machine to others are counted, and beside that the rest alone: then
// nothing of this machine runs, for tens of milliseconds.
func (x *registryCloud) subscribed() error {
	conns, err := x.connects(subscribers, idleBuffer)
	defer closeClients(conns)
	if err != nil {
		return err
	}
	changer, err := x.connect(busyBuffer)
	if err != nil {
		return err
	}
	defer changer.close()
	if err := changer.ask("InstanceRequest", instance("hot", 1, 80, "0")); err != nil {
		return err
	}
	subscribe := `{"namespace":"public","serviceName":"hot","groupName":"DEFAULT_GROUP","subscribe":true,"clusters":"","module":"naming"}`
	for _, c := range conns {
		if err := c.ask("SubscribeServiceRequest", subscribe); err != nil {
			return err
		}
	}
	said, err := newEars(conns, "NotifySubscriberRequest")
	if err != nil {
		return err
	}
	defer said.close()
	before := x.usage()
	var took, calm []time.Duration
	for n := range changes {
		ways, undisturbed, err := x.heard(changer, said, strconv.Itoa(n+1))
		if err != nil {
			return fmt.Errorf("change %d: %w", n, err)
		}
		if took = append(took, ways...); undisturbed {
			calm = append(calm, ways...)
		}
	}
	x.add(fmt.Sprintf("change of a service -> %d subscribers over gRPC: p50 (p99)", subscribers), percentiles(took), "p99 < 20 ms",
		fmt.Sprintf("%s of the %d %% while the hypervisor took nothing; ", percentiles(calm), 100*len(calm)/max(1, len(took)))+
			x.others(before)+"; "+x.each(before, int64(len(took))))
	return nil
}

// heard makes one change, and says how long its way was to each who subscribes, and
// whether the machine was ours all the while.
func (x *registryCloud) heard(changer *client, said *ears, version string) (ways []time.Duration, undisturbed bool, err error) {
	if err := x.pause(changePause); err != nil {
		return nil, false, err
	}
	said.expect(subscribers, version)
	stolen, began := x.usage().stolen, time.Now()
	if err := changer.ask("InstanceRequest", instance("hot", 1, 80, version)); err != nil {
		return nil, false, err
	}
	all, err := said.await()
	if err != nil {
		return nil, false, err
	}
	undisturbed = x.usage().stolen == stolen
	for _, p := range all {
		if p.version == version { // else it is of an earlier one
			ways = append(ways, p.after.Sub(began))
		}
		if err := p.acknowledge("NotifySubscriberResponse"); err != nil {
			return nil, false, err
		}
	}
	return ways, undisturbed, nil
}

// polled measures how long a change of a config takes to those who wait for it in
// long polls, each on a connection of its own.
func (x *registryCloud) polled() error {
	const rounds = 5
	publisher, err := x.connect(busyBuffer)
	if err != nil {
		return err
	}
	defer publisher.close()
	polls := make([]net.Conn, listeners)
	defer func() {
		for _, c := range polls {
			if c != nil {
				c.Close()
			}
		}
	}()
	var took []time.Duration
	before := x.usage()
	for n := range rounds {
		md5, err := x.publishPolled(publisher, n)
		if err != nil {
			return err
		}
		done, err := x.await(polls, md5)
		if err != nil {
			return err
		}
		if err := x.waiting(listeners); err != nil {
			for _, c := range polls {
				c.Close()
			}
			return errors.Join(err, done())
		}
		began := time.Now()
		if _, err := x.publishPolled(publisher, n+1000); err != nil {
			return err
		}
		if err := done(); err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	x.add(fmt.Sprintf("change of a config -> the last of %d long polls: p50 of %d", listeners, rounds), fmt.Sprintf("%.0f ms", ms(at(took, 50))), "< 500 ms",
		x.others(before)+"; "+x.each(before, rounds*listeners))
	return nil
}

// publishPolled publishes the content of that number, and says its MD5.
func (x *registryCloud) publishPolled(c *client, n int) (string, error) {
	content := "n=" + strconv.Itoa(n)
	return md5Of(content), c.ask("ConfigPublishRequest", `{"dataId":"polled","group":"g","tenant":"","content":"`+content+`","module":"config"}`)
}

// await sends a poll on every connection, which it makes if there is none, and lets
// each wait for its answer; done waits until all have it.
func (x *registryCloud) await(polls []net.Conn, md5 string) (done func() error, err error) {
	req := form(x.http, "POST", "/nacos/v1/cs/configs/listener",
		url.Values{"Listening-Configs": {"polled\x02g\x02" + md5 + "\x01"}}.Encode(),
		"accessToken: "+x.token, "Long-Pulling-Timeout: 60000", "Client-Version: 2.1.0")
	var group sync.WaitGroup
	var bad atomic.Pointer[error]
	for i := range polls {
		if polls[i] == nil {
			if polls[i], err = net.Dial("tcp", x.http); err != nil {
				return nil, err
			}
		}
		c := polls[i]
		_ = c.SetDeadline(time.Now().Add(2 * heardTime)) // a TCP connection has deadlines
		if _, err := c.Write(req); err != nil {
			return nil, err
		}
		group.Go(func() {
			if err := answered(c); err != nil {
				bad.CompareAndSwap(nil, &err)
			}
		})
	}
	return func() error {
		group.Wait()
		if err := bad.Load(); err != nil {
			return *err
		}
		return nil
	}, nil
}

// answered reads the answer to a poll, which has to say that the key has changed.
func answered(c net.Conn) error {
	r := bufio.NewReaderSize(c, idleBuffer)
	line, err := r.ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(line, "HTTP/1.1 200") {
		return fmt.Errorf("a poll was answered %q", line)
	}
	for length := 0; ; {
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		if rest, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			length, _ = strconv.Atoi(strings.TrimSpace(rest)) // 0: it says nothing
		}
		if line == "\r\n" {
			body := make([]byte, length)
			if _, err := io.ReadFull(r, body); err != nil {
				return err
			}
			if string(body) != "polled%02g%01" {
				return fmt.Errorf("a poll was answered %q", body)
			}
			return nil
		}
	}
}

// waiting waits until so many polls hang in the cloud: the metrics of the dialect
// say how many there are.
func (x *registryCloud) waiting(want int) error {
	c, err := dial("http://" + x.http)
	if err != nil {
		return err
	}
	defer c.close()
	req := form(x.http, "GET", "/nacos/actuator/prometheus", "", "accessToken: "+x.token)
	n := 0
	for end := time.Now().Add(heardTime); time.Now().Before(end); {
		status, body, err := c.do(req)
		if err != nil || status != 200 {
			return fmt.Errorf("metrics: status %d, %w", status, err)
		}
		if n = metric(string(body), `name="longPolling"`); n == want {
			return nil
		}
		if err := x.pause(readyPause); err != nil {
			return err
		}
	}
	return fmt.Errorf("there are %d polls, not %d", n, want)
}

// metric is the value in the line of the metrics that has such a label; -1: there is
// no such line.
func metric(body, label string) int {
	for line := range strings.Lines(body) {
		if strings.Contains(line, label) {
			fields := strings.Fields(line)
			if n, err := strconv.Atoi(fields[len(fields)-1]); err == nil {
				return n
			}
		}
	}
	return -1
}
