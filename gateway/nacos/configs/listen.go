package configs

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
)

// Headers of a poll.
const (
	hangHeader    = "Long-Pulling-Timeout"
	noHangHeader  = "Long-Pulling-Timeout-No-Hangup"
	versionHeader = "Client-Version"
)

// listen answers which of the keys that a client has are other ones now; if it
// asks so, once one is.
func (a *API) listen(r *api.Request) (api.Answer, error) {
	probes, err := parseProbes(r.Values().Text("Listening-Configs"))
	if err != nil {
		return api.Answer{}, a.slowly(r.Context(), err)
	}
	for _, p := range probes {
		if !r.User.May(api.Read, resource(p.key())) {
			return api.Answer{}, errForbidden
		}
	}
	client := config.Client{IP: r.ClientIP}
	if tag := r.Header.Get(config.TagLabel); tag != "" {
		client.Labels = map[string]string{config.TagLabel: tag}
	}
	p, err := a.newPoll(r.Context(), probes, client, agent(r), r.Header.Get("Client-AppName"))
	if err != nil {
		return api.Answer{}, a.slowly(r.Context(), err)
	}
	defer p.end()
	hang := hangs(r.Header)
	if hang > 0 { // the frame's deadline is that of the body, which is here
		_ = r.Controller().SetReadDeadline(time.Time{}) // not every connection has deadlines
	}
	p.wait(r.Context(), hang, a.closing)
	changed, all := p.differing()
	if !all && len(changed) == 0 && r.Context().Err() == nil && hang == 0 {
		return api.Answer{}, api.Busy.Errorf("not all of the keys could be looked at in time")
	}
	return pollAnswer(r.Header, changed), nil
}

// agent is what a client says it is.
func agent(r *api.Request) string {
	if s := r.Header.Get("User-Agent"); s != "" {
		return s
	}
	return r.Header.Get(versionHeader)
}

// hangs is how long a poll may hang; 0: it is answered at once.
func hangs(h http.Header) time.Duration {
	if strings.EqualFold(h.Get(noHangHeader), "true") {
		return 0
	}
	ms, err := strconv.ParseInt(strings.TrimSpace(h.Get(hangHeader)), 10, 32)
	if err != nil {
		return 0
	}
	return min(max(time.Duration(ms)*time.Millisecond-pollMargin, minHang), maxHang)
}

func pollAnswer(asked http.Header, changed []probe) api.Answer {
	h := http.Header{"Pragma": noCache, "Expires": longGone, "Cache-Control": noStore}
	body := answerTo(changed)
	if len(changed) > 0 && isOld(asked.Get(versionHeader)) && len(body) <= maxProbeHeader {
		h["Probe-Modify-Response"] = []string{oldAnswer(changed)}
		h["Probe-Modify-Response-New"] = []string{string(body)}
	}
	return api.Answer{Raw: body, Header: h}
}

// isOld says whether a client of that version reads the answer from headers: those
// before 2.0.4, and those that say no version.
func isOld(version string) bool {
	version = version[strings.LastIndexByte(version, 'v')+1:]
	for i, field := range strings.SplitN(version, ".", 3) {
		digits := field[:len(field)-len(strings.TrimLeft(field, "0123456789"))]
		n, err := strconv.Atoi(digits)
		if want := [3]int{2, 0, 4}[i]; err != nil || n != want {
			return err != nil || n < want
		}
	}
	return false
}

// slowly holds an answer that a client would only repeat its request over, so that
// it does not spin; not too many of them at once, though.
func (a *API) slowly(ctx context.Context, err error) error {
	if api.CodeOf(err).Status != http.StatusServiceUnavailable {
		return err
	}
	select {
	case a.refusals <- struct{}{}:
		defer func() { <-a.refusals }()
	default:
		return err
	}
	t := time.NewTimer(refusalPause + rand.N(refusalPause))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-a.closing:
	}
	return err
}
