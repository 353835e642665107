package nacos

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"
)

// sdk is one of the Go clients.
type sdk interface {
	register(service string, i instance) error
	update(service string, i instance) error
	deregister(service string, i instance) error
	list(service string) ([]instance, error)
	services() ([]string, error)
	subscribe(service string, changed func([]instance)) error
	publish(key, content string) error
	get(key string) (string, error)
	listen(key string, changed func(content string)) error
	remove(key string) error
}

// speaker writes lines.
type speaker struct {
	mu  sync.Mutex
	out *json.Encoder
}

func (s *speaker) say(a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.out.Encode(a); err != nil {
		os.Exit(1) // the test is gone
	}
}

// beClient is what a process with accessVariable does: it takes orders until there
// are no more.
func beClient(raw string) {
	s := &speaker{out: json.NewEncoder(os.Stdout)}
	os.Stdout = os.Stderr // the clients print too
	var a access
	if err := json.Unmarshal([]byte(raw), &a); err != nil {
		s.say(answer{Error: err.Error()})
		return
	}
	open := openV1
	if a.Kind == kindV2 {
		open = openV2
	}
	c, err := open(a)
	if err != nil {
		s.say(answer{Error: err.Error()})
		return
	}
	s.say(answer{Ready: true})
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			s.say(answer{Error: err.Error()})
			return
		}
		said := obey(c, s, r)
		said.ID = r.ID
		s.say(said)
	}
}

func obey(c sdk, s *speaker, r request) (a answer) {
	var err error
	switch r.Do {
	case doRegister:
		err = c.register(r.Service, *r.Instance)
	case doUpdate:
		err = c.update(r.Service, *r.Instance)
	case doDeregister:
		err = c.deregister(r.Service, *r.Instance)
	case doList:
		a.Instances, err = c.list(r.Service)
	case doServices:
		a.Names, err = c.services()
	case doSubscribe:
		err = c.subscribe(r.Service, func(now []instance) { s.say(answer{Service: r.Service, Instances: now}) })
	case doPublish:
		err = c.publish(r.Key, r.Content)
	case doGet:
		a.Content, err = c.get(r.Key)
	case doListen:
		err = c.listen(r.Key, func(now string) { s.say(answer{Key: r.Key, Content: now}) })
	case doRemove:
		err = c.remove(r.Key)
	default:
		err = fmt.Errorf("a client cannot %s", r.Do)
	}
	if err != nil {
		a.Error = err.Error()
	}
	return a
}
