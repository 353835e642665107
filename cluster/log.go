package cluster

import (
	"context"
	"log/slog"
	"time"

	"github.com/rs/zerolog"
)

// commitLines is how many "committed" lines a second are written under load.
const commitLines = 100

func sampled(log zerolog.Logger) zerolog.Logger {
	return log.Sample(zerolog.LevelSampler{
		DebugSampler: &zerolog.BurstSampler{Burst: commitLines, Period: time.Second},
	})
}

// slogger writes what protoactor logs to zerolog, one level lower: its Info is
// of use to nobody who operates a cloud.
type slogger struct {
	log    zerolog.Logger
	prefix string // of the groups
}

func newSlog(log zerolog.Logger) *slog.Logger {
	return slog.New(slogger{log: log.With().Str("lib", "protoactor").Logger()})
}

func levelOf(l slog.Level) zerolog.Level {
	switch {
	case l >= slog.LevelError:
		return zerolog.ErrorLevel
	case l >= slog.LevelWarn:
		return zerolog.WarnLevel
	case l >= slog.LevelInfo:
		return zerolog.DebugLevel
	}
	return zerolog.TraceLevel
}

// Enabled is slog.Handler's.
func (s slogger) Enabled(_ context.Context, l slog.Level) bool {
	return levelOf(l) >= max(s.log.GetLevel(), zerolog.GlobalLevel())
}

// Handle is slog.Handler's.
func (s slogger) Handle(_ context.Context, r slog.Record) error {
	e := s.log.WithLevel(levelOf(r.Level))
	r.Attrs(func(a slog.Attr) bool {
		e.Any(s.prefix+a.Key, a.Value.Resolve().Any())
		return true
	})
	e.Msg(r.Message)
	return nil
}

// WithAttrs is slog.Handler's.
func (s slogger) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := s.log.With()
	for _, a := range attrs {
		c = c.Any(s.prefix+a.Key, a.Value.Resolve().Any())
	}
	s.log = c.Logger()
	return s
}

// WithGroup is slog.Handler's.
func (s slogger) WithGroup(name string) slog.Handler {
	s.prefix += name + "."
	return s
}
