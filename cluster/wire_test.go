package cluster_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/messages"
)

// TestEnvelope: what another process sends, or protoactor's own Request, is
// answered in every case.
func TestEnvelope(t *testing.T) {
	n := start(t, mem.New())
	payload, err := proto.Marshal(count("x"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		e    *messages.Envelope
		want messages.ErrorKind
	}{
		"a command":         {&messages.Envelope{Method: "troupe.ReleaseQuota", Payload: payload, DedupeId: "d"}, 0},
		"the same again":    {&messages.Envelope{Method: "troupe.ReleaseQuota", Payload: payload, DedupeId: "d"}, 0},
		"a query":           {&messages.Envelope{Method: "troupe.GetQuota"}, 0},
		"refused":           {&messages.Envelope{Method: "troupe.ResetQuota"}, messages.ErrorKind_ERROR_KIND_CONFLICT},
		"a newer method":    {&messages.Envelope{Method: "troupe.FromTheFuture"}, messages.ErrorKind_ERROR_KIND_INVALID},
		"not one of ours":   {&messages.Envelope{Method: "google.protobuf.FileDescriptorSet"}, messages.ErrorKind_ERROR_KIND_INVALID},
		"no method":         {&messages.Envelope{}, messages.ErrorKind_ERROR_KIND_INVALID},
		"a damaged payload": {&messages.Envelope{Method: "troupe.ReleaseQuota", Payload: []byte{0xff}}, messages.ErrorKind_ERROR_KIND_INVALID},
		"past its deadline": {&messages.Envelope{Method: "troupe.GetQuota", DeadlineUnixMs: 1}, messages.ErrorKind_ERROR_KIND_UNAVAILABLE},
		"a panic":           {&messages.Envelope{Method: "troupe.SetQuota"}, messages.ErrorKind_ERROR_KIND_INTERNAL},
	} {
		got, err := cluster.Member(n).Request("a", "counter", tt.e)
		r, ok := got.(*messages.Reply)
		if err != nil || !ok || r.Error != tt.want || (r.Error != 0) != (r.Message != "") {
			t.Errorf("%s: got %v, %v; want %v", name, got, err, tt.want)
		}
	}
	if got := mustRead(t, n, "a"); got["n"] != 1 {
		t.Errorf("counted %v", got)
	}
	if got := cluster.Member(n).Get("a", "unknown"); got != nil {
		t.Errorf("an unknown kind was found at %v", got)
	}
}

// TestAcrossTheWire: a call that is serialised and read again is the same call,
// and so is its answer.
func TestAcrossTheWire(t *testing.T) {
	deadline := time.UnixMilli(1_700_000_000_123)
	e := cluster.ToWire(t, counterRef("a/b"), count("x"), "req", "d", deadline)
	to, m, request, dedupe, at, err := cluster.FromWire(e)
	if err != nil || to != counterRef("a/b") || !proto.Equal(m, count("x")) || request != "req" || dedupe != "d" || !at.Equal(deadline) {
		t.Errorf("got %v %v %q %q %v %v", to, m, request, dedupe, at, err)
	}
}

// FuzzEnvelope: no bytes from outside bring the reader down.
func FuzzEnvelope(f *testing.F) {
	for _, m := range []proto.Message{count("x"), &messages.GetQuota{}, &messages.DomainSpec{Name: "x", ConfigFiles: map[string][]byte{"a": nil}}} {
		raw, _ := proto.Marshal(cluster.ToWire(f, counterRef("a"), m, "r", "d", time.UnixMilli(5)))
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		e := &messages.Envelope{}
		if proto.Unmarshal(raw, e) != nil {
			return
		}
		to, m, request, dedupe, at, err := cluster.FromWire(e)
		if err != nil {
			return
		}
		again, m2, _, _, _, err := cluster.FromWire(cluster.ToWire(t, to, m, request, dedupe, at))
		if err != nil || again != to || !proto.Equal(m, m2) {
			t.Errorf("%v %v became %v %v, %v", to, m, again, m2, err)
		}
	})
}

func TestProtoactorLogs(t *testing.T) {
	for name, tt := range map[string]struct {
		level zerolog.Level
		log   func(*slog.Logger)
		want  string
	}{
		"info is debug":       {zerolog.DebugLevel, func(l *slog.Logger) { l.Info("m", "k", 1) }, `{"level":"debug","lib":"protoactor","k":1,"message":"m"}`},
		"info is not written": {zerolog.InfoLevel, func(l *slog.Logger) { l.Info("m") }, ``},
		"error is error":      {zerolog.InfoLevel, func(l *slog.Logger) { l.Error("m") }, `{"level":"error","lib":"protoactor","message":"m"}`},
		"attributes, groups":  {zerolog.InfoLevel, func(l *slog.Logger) { l.With("a", "b").WithGroup("g").Warn("m", "k", true) }, `{"level":"warn","lib":"protoactor","a":"b","g.k":true,"message":"m"}`},
	} {
		var out bytes.Buffer
		tt.log(cluster.NewSlog(zerolog.New(&out).Level(tt.level)))
		if got := string(bytes.TrimSpace(out.Bytes())); got != tt.want || got != "" && !json.Valid([]byte(got)) {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}
