package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/messages"
)

// Under flood each level below error writes floodBurst lines a second and then
// one of floodRest. Errors are never left out.
const (
	floodBurst = 200
	floodRest  = 100
)

// newLog writes to path, rotated, or if that is empty to standard error: JSON,
// or lines for people where that is a terminal.
func newLog(path, level string) (zerolog.Logger, io.Closer, error) {
	if err := (levels{}).SetLevel(level); err != nil {
		return zerolog.Logger{}, nil, badSetting("--log-level: %w", err)
	}
	var w io.Writer = os.Stderr
	var closer io.Closer = io.NopCloser(nil)
	switch {
	case path != "":
		f, err := openRotating(path, maxLogBytes, keptLogs)
		if err != nil {
			return zerolog.Logger{}, nil, badSetting("--log-file: %w", err)
		}
		w, closer = f, f
	case isatty.IsTerminal(os.Stderr.Fd()):
		w = zerolog.ConsoleWriter{Out: os.Stderr, TimeFormat: time.TimeOnly}
	}
	zerolog.TimeFieldFormat = time.RFC3339Nano
	zerolog.DurationFieldUnit = time.Millisecond
	log := zerolog.New(w).With().Timestamp().Logger()
	flood := func() zerolog.Sampler {
		return &zerolog.BurstSampler{Burst: floodBurst, Period: time.Second, NextSampler: &zerolog.BasicSampler{N: floodRest}}
	}
	return log.Sample(zerolog.LevelSampler{
		TraceSampler: flood(), DebugSampler: flood(), InfoSampler: flood(), WarnSampler: flood(),
	}), closer, nil
}

// levels is the process's log level, changeable while it runs.
type levels struct{}

// Level is the least severe level that is written.
func (levels) Level() string { return zerolog.GlobalLevel().String() }

// SetLevel changes it.
func (levels) SetLevel(level string) error {
	l, err := zerolog.ParseLevel(strings.ToLower(level))
	if err != nil || l < zerolog.TraceLevel || l > zerolog.ErrorLevel {
		return fmt.Errorf("%q is no log level; they are trace, debug, info, warn, error: %w", level, messages.Invalid)
	}
	zerolog.SetGlobalLevel(l)
	return nil
}
