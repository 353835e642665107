// Package rates owns the measurement of what a crossing between two nodes costs:
// over our transport, and over protoactor's own remote, which the runtime does
// not use. Only benchmarks call it.
package rates

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/pki"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	// Callers is how many callers at once Crossing measures the rate with.
	Callers     = 64
	rateTime    = time.Second
	ratePayload = 256 // bytes, of question and answer
	rateCluster = "rates"
)

// Crossing measures what a crossing costs on this machine: two nodes in this
// process, on loopback, with mutual TLS. The rate is that of Callers callers, the
// median that of one caller alone.
func Crossing(ctx context.Context) (callsPerSecond float64, p50 time.Duration, err error) {
	if _, p50, err = Peer(ctx, 1, rateTime); err != nil {
		return 0, 0, err
	}
	callsPerSecond, _, err = Peer(ctx, Callers, rateTime)
	return callsPerSecond, p50, err
}

// Peer measures crossings with that many callers, each of which asks again when
// it has its answer.
func Peer(ctx context.Context, callers int, during time.Duration) (callsPerSecond float64, p50 time.Duration, err error) {
	var nodes [2]*peer.Server
	ca, err := pki.NewCA(rateCluster, time.Now())
	if err != nil {
		return 0, 0, err
	}
	for i := range nodes {
		name := fmt.Sprint("rate-", i)
		source, err := SelfIssued(ca, name)
		if err != nil {
			return 0, 0, err
		}
		nodes[i], err = peer.Listen(ctx, peer.Config{
			Self:    view.Member{ID: name, Name: name, Address: "127.0.0.1:0"},
			Cluster: rateCluster, TLS: source, Handler: mirror{}, Log: zerolog.Nop(),
		})
		if err != nil {
			return 0, 0, err
		}
		defer nodes[i].Stop(ctx)
	}
	to, e := nodes[1].Self(), &messages.Envelope{Kind: "rate", Id: "0", Method: "troupe.Done", Payload: make([]byte, ratePayload)}
	return rateOf(ctx, callers, during, func() error {
		_, err := nodes[0].Call(ctx, to, e)
		return err
	})
}

// mirror answers every call with what it was asked.
type mirror struct{}

// Call is peer.Handler's.
func (mirror) Call(_ peer.Identity, e *messages.Envelope, answer func(*messages.Reply)) {
	if answer != nil {
		answer(&messages.Reply{Method: e.GetMethod(), Payload: e.GetPayload()})
	}
}

// Ping is peer.Handler's.
func (mirror) Ping(peer.Identity, *messages.Ping) *messages.Pong { return &messages.Pong{} }

// Notice is peer.Handler's.
func (mirror) Notice(peer.Identity, *messages.Notice) {}

// rateOf has callers call one over and over.
func rateOf(ctx context.Context, callers int, during time.Duration, one func() error) (perSecond float64, p50 time.Duration, err error) {
	if err := one(); err != nil { // connects
		return 0, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, during)
	defer cancel()
	var all sync.WaitGroup
	times, errs := make([][]time.Duration, callers), make([]error, callers)
	began := time.Now()
	for i := range callers {
		all.Go(func() {
			for { // once at least, however busy the machine is
				at := time.Now()
				errs[i] = one()
				times[i] = append(times[i], time.Since(at))
				if ctx.Err() != nil || errs[i] != nil {
					return
				}
			}
		})
	}
	all.Wait()
	took := time.Since(began)
	for _, err := range errs {
		if err != nil {
			return 0, 0, err
		}
	}
	sorted := slices.Sorted(slices.Values(slices.Concat(times...)))
	return float64(len(sorted)) / took.Seconds(), sorted[len(sorted)/2], nil
}

// SelfIssued is the certificate of a node that exists for a measurement.
func SelfIssued(ca *pki.CA, name string) (*pki.Source, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	cert, err := ca.Issue(pki.Identity{Role: pki.Node, Name: name, Roles: pki.Roles()}, key.Public(), time.Now(), pki.DefaultNodeLife)
	if err != nil {
		return nil, err
	}
	raw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	return pki.NewSource(pki.PEM{
		CA: block("CERTIFICATE", ca.Cert.Raw), Cert: block("CERTIFICATE", cert), Key: block("EC PRIVATE KEY", raw),
	}, pki.Options{Log: zerolog.Nop()})
}
