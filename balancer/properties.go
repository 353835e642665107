package balancer

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Properties are Ribbon's settings, by its own keys: `<client>.ribbon.<Key>` for one
// service, `ribbon.<Key>` for all, and those below niws.loadbalancer. The spellings
// that Ribbon has wrong are taken as it has them, and as they should be. Source:
// com.netflix.client.config.CommonClientConfigKey and the classes that it names.
type Properties struct{ all map[string]string }

// FromProperties reads settings; keys that are not Ribbon's are left alone.
func FromProperties(all map[string]string) (*Properties, error) {
	p := &Properties{all: all}
	names := map[string]bool{"": true}
	for key := range all {
		if name, _, ok := strings.Cut(key, ".ribbon."); ok {
			names[name] = true
		}
	}
	var errs []error
	for name := range names {
		if _, err := p.Of(name); err != nil {
			errs = append(errs, err)
		}
	}
	return p, errors.Join(errs...)
}

// Settings are what Properties say of one service.
type Settings struct {
	Config   Config
	Retry    Retry
	Statuses []int // retryableStatusCodes; nil: DefaultStatuses
	Answer   time.Duration
	Connect  time.Duration
	Each     int           // connections to one server; 0: no limit
	InAll    int           // idle connections to all
	Idle     time.Duration // for which one is kept
	Secure   bool
	Servers  []Endpoint    // listOfServers
	Refresh  time.Duration // of lists that are polled
	Ping     *Pinging
	Priming  *Priming
}

// Of is what is said of one service.
func (p *Properties) Of(service string) (Settings, error) {
	r := reader{all: p.all, service: service}
	s := Settings{
		Retry:  Retry{Same: r.number("MaxAutoRetries", 0), Next: r.number("MaxAutoRetriesNextServer", 1), All: r.truth("OkToRetryOnAllOperations", false)},
		Answer: r.millis("ReadTimeout", DefaultAnswerTime), Connect: r.millis("ConnectTimeout", connectTime),
		Each:    r.number("MaxHttpConnectionsPerHost", r.number("MaxConnectionsPerHost", keptConns)),
		InAll:   r.number("MaxTotalHttpConnections", r.number("MaxTotalConnections", 200)),
		Idle:    r.millis("ConnIdleEvictTimeMilliSeconds", keptTime),
		Refresh: r.millis("ServerListRefreshInterval", DefaultEvery), Secure: r.truth("IsSecure", false),
	}
	if s.Retry.Next == 0 {
		s.Retry.Next = -1 // none, where 0 stands for the default
	}
	s.Retry.Sleep = r.millis("BackoffTimeout", 0)
	s.Statuses = r.statuses()
	s.Config.Rule, s.Config.Filter = r.rule(), r.filter()
	s.Config.Zone = r.all["@zone"]
	s.Config.Circuit = r.circuit()
	s.Ping, s.Priming, s.Servers = r.ping(), r.priming(), r.servers()
	if len(r.errs) > 0 {
		return s, fmt.Errorf("settings of %q: %w", service, errors.Join(r.errs...))
	}
	return s, nil
}

// Services balances by the settings. Lists come from listOfServers where there is
// one, and else from source, which may be nil then.
func (p *Properties) Services(source Source) (*Services, error) {
	general, err := p.Of("")
	return &Services{
		Source: configured{p, source}, Ping: general.Ping, Priming: general.Priming,
		Config: func(name string) Config {
			s, _ := p.Of(name) // what is wrong has its default
			return s.Config
		},
	}, err
}

// Transport makes a RoundTripper for one service of Services.
func (p *Properties) Transport(services *Services, service string) (*Transport, error) {
	s, err := p.Of(service)
	base := NewBase()
	base.MaxConnsPerHost, base.MaxIdleConnsPerHost, base.MaxIdleConns, base.IdleConnTimeout = s.Each, s.Each, s.InAll, s.Idle
	base.DialContext = dialer(s.Connect).DialContext
	return &Transport{Services: services, Base: base, Retry: s.Retry, Statuses: s.Statuses, AnswerTime: s.Answer}, err
}

// reader reads the keys of one service, and collects what is wrong with them.
type reader struct {
	all     map[string]string
	service string
	errs    []error
}

// text is the value of the first of some spellings of a key that is set.
func (r *reader) text(keys ...string) (value, key string) {
	for _, prefix := range []string{r.service + ".ribbon.", "ribbon."} {
		for _, k := range keys {
			if v, ok := r.all[prefix+k]; ok {
				return strings.TrimSpace(v), prefix + k
			}
		}
	}
	return "", ""
}

// niws is text, of keys that stand elsewhere: %s is the service, or default.
func (r *reader) niws(forms ...string) (value, key string) {
	for _, name := range []string{r.service, "default"} {
		for _, form := range forms {
			k := strings.Replace(form, "%s", name, 1)
			if v, ok := r.all[k]; ok {
				return strings.TrimSpace(v), k
			}
		}
	}
	return "", ""
}

func (r *reader) wrong(key, value, want string) {
	r.errs = append(r.errs, fmt.Errorf("%s is %.80q, not %s", key, value, want))
}

func (r *reader) number(key string, without int) int { return r.count(without)(r.text(key)) }

func (r *reader) count(without int) func(value, key string) int {
	return func(value, key string) int {
		if key == "" {
			return without
		}
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > 1<<30 {
			r.wrong(key, value, "a number from 0 on")
			return without
		}
		return n
	}
}

func (r *reader) share(without float64) func(value, key string) float64 {
	return func(value, key string) float64 {
		if key == "" {
			return without
		}
		x, err := strconv.ParseFloat(value, 64)
		if err != nil || !(x >= 0 && x <= 1e9) {
			r.wrong(key, value, "a number from 0 on")
			return without
		}
		return x
	}
}

func (r *reader) millis(key string, without time.Duration) time.Duration {
	return time.Duration(r.number(key, int(without/time.Millisecond))) * time.Millisecond
}

func (r *reader) seconds(key string, without time.Duration) time.Duration {
	return time.Duration(r.number(key, int(without/time.Second))) * time.Second
}

func (r *reader) truth(key string, without bool) bool { return r.yes(without)(r.text(key)) }

func (r *reader) yes(without bool) func(value, key string) bool {
	return func(value, key string) bool {
		switch strings.ToLower(value) {
		case "true":
			return true
		case "false":
			return false
		}
		if key != "" {
			r.wrong(key, value, "true or false")
		}
		return without
	}
}

func (r *reader) statuses() []int {
	value, key := r.text("retryableStatusCodes")
	if value == "" {
		return nil
	}
	var all []int
	for text := range strings.SplitSeq(value, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 100 || n > 599 {
			r.wrong(key, value, "a list of statuses")
			return nil
		}
		all = append(all, n)
	}
	return all
}

func (r *reader) servers() []Endpoint {
	value, key := r.text("listOfServers")
	var all []Endpoint
	for text := range strings.SplitSeq(value, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if !strings.Contains(text[strings.LastIndexByte(text, ']')+1:], ":") || strings.HasSuffix(text, "]") {
			text += ":" + strconv.Itoa(r.number("Port", 80))
		}
		e, err := ParseEndpoint(text)
		if err != nil {
			r.wrong(key, text, "HOST:PORT")
			continue
		}
		if r.truth("IsSecure", false) {
			e.Scheme = "https"
		}
		all = append(all, e)
	}
	return slices.Clip(all)
}
