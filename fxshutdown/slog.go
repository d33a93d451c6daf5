package fxshutdown

import (
	"context"
	"log/slog"
)

// SlogLogger logs events through log/slog, in the words and at the levels of [Describe].
//
// A duration is logged as text, such as "1.5s": slog's JSON handler would write
// nanoseconds without a unit.
type SlogLogger struct {
	// Logger gets the lines; nil means slog.Default().
	Logger *slog.Logger

	logLevel   slog.Level // the zero value is Info
	errorLevel *slog.Level
}

var _ Logger = (*SlogLogger)(nil)

// UseLogLevel sets the level of ordinary lines, which is Info by default. Lines at Warn
// stay at Warn: they say what a stop had to force, or what it lost. Call it before the
// logger is used.
func (l *SlogLogger) UseLogLevel(level slog.Level) { l.logLevel = level }

// UseErrorLevel sets the level of lines about errors of the server, which is Error by
// default. Call it before the logger is used.
func (l *SlogLogger) UseErrorLevel(level slog.Level) { l.errorLevel = &level }

// LogEvent implements [Logger].
func (l *SlogLogger) LogEvent(e Event) {
	logger := l.Logger
	if logger == nil {
		logger = slog.Default()
	}
	level, message, attrs := Describe(e)
	switch {
	case level == slog.LevelInfo:
		level = l.logLevel
	case level == slog.LevelError && l.errorLevel != nil:
		level = *l.errorLevel
	}
	logger.LogAttrs(context.Background(), level, message, durationsAsText(attrs)...)
}

// durationsAsText replaces the durations in attrs with their text, and returns attrs.
func durationsAsText(attrs []slog.Attr) []slog.Attr {
	for i, a := range attrs {
		switch a.Value.Kind() {
		case slog.KindDuration:
			attrs[i].Value = slog.StringValue(a.Value.Duration().String())
		case slog.KindGroup:
			attrs[i].Value = slog.GroupValue(durationsAsText(a.Value.Group())...)
		}
	}
	return attrs
}
