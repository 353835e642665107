package nacos

import (
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/e2e/clients/cloud"
)

// script is a test of one kind of client against a cloud of its own.
type script struct {
	*testing.T
	kind  string
	cloud *cloud.Cloud
}

func (s *script) open() *client {
	s.Helper()
	c, err := open(s.T, accessTo(s.T, s.cloud, s.kind))
	if err != nil {
		s.Fatal(err)
	}
	return c
}

// has says whether an instance is among those of an answer, healthy.
func has(a answer, want instance) bool {
	return slices.ContainsFunc(a.Instances, func(i instance) bool {
		return i.IP == want.IP && i.Port == want.Port && i.Healthy && i.Weight == want.Weight && i.Metadata["version"] == want.Metadata["version"]
	})
}

func hasNone(a answer, want instance) bool {
	return !slices.ContainsFunc(a.Instances, func(i instance) bool { return i.IP == want.IP && i.Port == want.Port })
}

// host is an instance; port tells them apart.
func host(port uint64) instance {
	return instance{IP: "10.0.0.1", Port: port, Weight: 1, Metadata: map[string]string{"version": "1"}}
}

// brief makes an instance that beats be missed soon. npm nacos beats for the first
// time 10 s after its start.
func (s *script) brief(i instance) instance {
	i.Metadata = map[string]string{
		"version": "1", "preserved.heart.beat.interval": "1000",
		"preserved.heart.beat.timeout": "3000", "preserved.ip.delete.timeout": "5000",
	}
	if s.kind == kindNode {
		i.Metadata["preserved.heart.beat.timeout"], i.Metadata["preserved.ip.delete.timeout"] = "12000", "14000"
	}
	return i
}

func TestClients(t *testing.T) {
	for _, kind := range []string{kindV1, kindV2, kindNode} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			if kind == kindNode {
				cloud.NeedNode(t)
			}
			s := &script{t, kind, cloud.New(t)}
			t.Run("serves", func(t *testing.T) {
				for name, do := range map[string]func(*script){
					"naming": (*script).naming, "expiry": (*script).expiry, "persistent": (*script).persistent, "config": (*script).config, "login": (*script).login,
				} {
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						do(&script{t, kind, s.cloud})
					})
				}
			})
			s.restart()
		})
	}
}

// naming: what one client registers, changes and removes, another lists and is told.
func (s *script) naming() {
	const of = "orders"
	provider, consumer := s.open(), s.open()
	first, second := host(8001), host(8002)

	provider.do(request{Do: doRegister, Service: of, Instance: &first})
	consumer.awaitOrder(request{Do: doList, Service: of}, "the list", func(a answer, err error) bool { return err == nil && has(a, first) })
	consumer.do(request{Do: doSubscribe, Service: of})
	if a := consumer.do(request{Do: doServices}); !slices.Contains(a.Names, of) {
		s.Errorf("%s is not among the services %v", of, a.Names)
	}

	provider2 := s.open() // a gRPC client has one instance a service
	provider2.do(request{Do: doRegister, Service: of, Instance: &second})
	consumer.await(of, "an instance that came", func(a answer) bool { return has(a, first) && has(a, second) })

	second.Weight, second.Metadata = 2, map[string]string{"version": "2"}
	provider2.do(request{Do: doUpdate, Service: of, Instance: &second})
	consumer.await(of, "a change", func(a answer) bool { return has(a, first) && has(a, second) })

	provider2.do(request{Do: doDeregister, Service: of, Instance: &second})
	consumer.await(of, "an instance that left", func(a answer) bool { return has(a, first) && hasNone(a, second) })
	provider.do(request{Do: doDeregister, Service: of, Instance: &first})
	s.open().awaitOrder(request{Do: doList, Service: of}, "nobody", func(a answer, _ error) bool { return len(a.Instances) == 0 })
}

// expiry: who dies without a word is removed.
func (s *script) expiry() {
	const of = "mortal"
	lives, dies := s.brief(host(8003)), s.brief(host(8004))
	provider, victim, consumer := s.open(), s.open(), s.open()
	provider.do(request{Do: doRegister, Service: of, Instance: &lives})
	victim.do(request{Do: doRegister, Service: of, Instance: &dies})
	consumer.do(request{Do: doSubscribe, Service: of})
	consumer.await(of, "both", func(a answer) bool { return has(a, lives) && has(a, dies) })
	victim.kill()
	consumer.await(of, "the death of one", func(a answer) bool { return has(a, lives) && hasNone(a, dies) })
}

// persistent: what is registered for good outlives its client, and is healthy as
// long as it takes connections.
func (s *script) persistent() {
	const of = "rock"
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.Fatal(err)
	}
	defer l.Close()
	i := host(uint64(l.Addr().(*net.TCPAddr).Port))
	i.IP, i.Persistent = "127.0.0.1", true
	provider, consumer := s.open(), s.open()
	provider.do(request{Do: doRegister, Service: of, Instance: &i})
	provider.kill()
	consumer.do(request{Do: doSubscribe, Service: of})
	consumer.await(of, "what its client left", func(a answer) bool { return has(a, i) })
	if err := l.Close(); err != nil {
		s.Error(err)
	}
	consumer.await(of, "that it takes no connections", func(a answer) bool { return !has(a, i) && !hasNone(a, i) })
	s.open().do(request{Do: doDeregister, Service: of, Instance: &i})
	s.open().awaitOrder(request{Do: doList, Service: of}, "nobody", func(a answer, _ error) bool { return len(a.Instances) == 0 })
}

// config: what one client publishes, changes and removes, another gets and is told.
func (s *script) config() {
	const key = "app.properties"
	writer, reader := s.open(), s.open()
	writer.do(request{Do: doPublish, Key: key, Content: "a=1"})
	if a := reader.do(request{Do: doGet, Key: key}); a.Content != "a=1" {
		s.Errorf("got %q", a.Content)
	}
	reader.do(request{Do: doListen, Key: key})
	// A client begins to listen some seconds after it was told to.
	for i, content := range []string{"a=2", "a=ä 3\n", "a=2"} {
		writer.do(request{Do: doPublish, Key: key, Content: content})
		reader.await(key, "change "+string(rune('1'+i)), func(a answer) bool { return a.Content == content })
	}
	if a := reader.do(request{Do: doGet, Key: key}); a.Content != "a=2" {
		s.Errorf("got %q", a.Content)
	}
	writer.do(request{Do: doRemove, Key: key})
	s.open().awaitOrder(request{Do: doGet, Key: key}, "no content", func(a answer, err error) bool {
		return a.Content == "" && (err == nil || strings.Contains(err.Error(), "not exist"))
	})
}

// login: who has a wrong password gets nothing; the others have logged in.
func (s *script) login() {
	a := accessTo(s.T, s.cloud, s.kind)
	a.Password = "wrong"
	c, err := open(s.T, a)
	if err != nil {
		return
	}
	if _, err := c.try(request{Do: doPublish, Key: "secret", Content: "x"}); err == nil {
		s.Error("a wrong password may publish")
	}
	if got, err := c.try(request{Do: doGet, Key: "secret"}); err == nil && got.Content != "" {
		s.Errorf("a wrong password may read %q", got.Content)
	}
	intruder := host(6666)
	if _, err := c.try(request{Do: doRegister, Service: "secret", Instance: &intruder}); err == nil {
		s.Error("a wrong password may register")
	}
}

// restart: the node is killed and started again, and nobody tells the clients what
// to do.
func (s *script) restart() {
	const of, key = "phoenix", "phoenix.yaml"
	lives, dies, comes := s.brief(host(8005)), s.brief(host(8006)), host(8007)
	provider, victim, consumer := s.open(), s.open(), s.open()
	provider.do(request{Do: doRegister, Service: of, Instance: &lives})
	victim.do(request{Do: doRegister, Service: of, Instance: &dies})
	consumer.do(request{Do: doSubscribe, Service: of})
	consumer.await(of, "both", func(a answer) bool { return has(a, lives) && has(a, dies) })
	provider.do(request{Do: doPublish, Key: key, Content: "before: true"})
	consumer.do(request{Do: doListen, Key: key})

	s.cloud.Kill()
	victim.kill() // nobody keeps what it registered; the other is to be kept
	s.cloud.Start()

	provider.awaitOrder(request{Do: doPublish, Key: key, Content: "after: true"}, "a publish", func(_ answer, err error) bool { return err == nil })
	consumer.await(key, "a content that was published after the restart", func(a answer) bool { return a.Content == "after: true" })
	late := s.open()
	late.do(request{Do: doRegister, Service: of, Instance: &comes})
	consumer.await(of, "who lives and who came, and not who died", func(a answer) bool {
		return has(a, lives) && has(a, comes) && hasNone(a, dies)
	})
	s.open().awaitOrder(request{Do: doList, Service: of}, "the same in a list", func(a answer, err error) bool {
		return err == nil && has(a, lives) && has(a, comes) && hasNone(a, dies)
	})
	provider.do(request{Do: doDeregister, Service: of, Instance: &lives})
	consumer.await(of, "a farewell", func(a answer) bool { return hasNone(a, lives) && has(a, comes) })
}
