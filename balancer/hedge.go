package balancer

import (
	"context"
	"io"
	"net/http"
	"time"
)

// Hedge says when a second server is asked. Source: gRFC A6.
type Hedge struct {
	Quantile float64       // of the response times of late, e.g. 0.95; 0: never
	Least    time.Duration // whatever the quantile is
}

// answer is what one of the servers asked has said.
type answer struct {
	resp *http.Response
	err  error
	who  int
}

// hedged asks a second server when the first takes longer than most, and takes the
// first good answer.
func (x *exchange) hedged() (*http.Response, error) {
	answers := make(chan answer, 2)
	var ends [2]context.CancelFunc
	ask := func(who int, a attempts) {
		ctx, end := context.WithCancel(x.r.Context())
		ends[who] = end
		one := &exchange{t: x.t, b: x.b, r: x.r.WithContext(ctx), safe: x.safe, again: x.again, body: x.body}
		go func() {
			resp, err := one.run(&a)
			answers <- answer{resp, err, who}
		}()
	}
	ask(0, x.attempts)
	timer := time.NewTimer(max(x.b.quantile(x.t.Hedge.Quantile), x.t.Hedge.Least, time.Millisecond))
	defer timer.Stop()
	for waiting := 1; ; {
		select {
		case <-timer.C:
			second := x.attempts
			second.request.Tried = []*Server{x.attempts.server}
			if second.choose() == nil && x.b.budget.withdraw(time.Now()) {
				ask(1, second)
				waiting++
			}
		case got := <-answers:
			waiting--
			if got.err != nil {
				ends[got.who]()
				if waiting > 0 {
					continue
				}
				return nil, got.err
			}
			if other := ends[1-got.who]; other != nil {
				other()
			}
			if waiting > 0 {
				go drop(answers)
			}
			got.resp.Body = &closing{got.resp.Body, ends[got.who]}
			return got.resp, nil
		}
	}
}

// drop forgets the answer of who was slower.
func drop(answers <-chan answer) {
	if late := <-answers; late.resp != nil {
		_ = late.resp.Body.Close() // nobody reads it
	}
}

// closing ends a context with a body.
type closing struct {
	io.ReadCloser
	end func()
}

func (c *closing) Close() error {
	defer c.end()
	return c.ReadCloser.Close()
}
