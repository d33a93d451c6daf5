package fxhttp

import (
	"cmp"
	"log/slog"

	"go.uber.org/zap"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// withServer adds the name of a server to a logger's lines.
func withServer(logger *zap.Logger, name string) *zap.Logger {
	if name == "" {
		return logger
	}
	return logger.With(zap.String("server", name))
}

// logger returns the logger of the server's events. One of ours names fx.StopTimeout.
func (m *module) logger(s *settings, zapLogger *zap.Logger, logger fxshutdown.Logger) fxshutdown.Logger {
	l := m.chosenLogger(s, zapLogger, logger)
	switch l.(type) {
	case *ZapLogger, *fxshutdown.SlogLogger:
		return stopTimeoutLogger{l}
	}
	return l
}

// stopTimeoutLogger is for people: it says by which name they know the time of a stop.
type stopTimeoutLogger struct{ fxshutdown.Logger }

const skipStopTimeout fxshutdown.SkipReason = "it does not fit fx.StopTimeout"

func (l stopTimeoutLogger) LogEvent(e fxshutdown.Event) {
	if s, ok := e.(*fxshutdown.Stopping); ok && s.Skipped == fxshutdown.SkipNoRoom {
		named := *s
		named.Skipped = skipStopTimeout
		e = &named
	}
	l.Logger.LogEvent(e)
}

func (m *module) chosenLogger(s *settings, zapLogger *zap.Logger, logger fxshutdown.Logger) fxshutdown.Logger {
	switch {
	case s.logger != nil:
		return s.logger
	case logger != nil:
		return m.named(logger)
	case zapLogger != nil:
		return &ZapLogger{Logger: withServer(zapLogger, m.name)}
	default:
		return &fxshutdown.SlogLogger{Logger: m.slog(nil)}
	}
}

// named adds the name of the server to the lines of a logger of the graph, which may
// serve several, if it is one of ours.
func (m *module) named(logger fxshutdown.Logger) fxshutdown.Logger {
	if m.name == "" || isNil(logger) {
		return logger
	}
	switch l := logger.(type) {
	case *ZapLogger:
		if l.Logger != nil {
			c := *l // with its levels
			c.Logger = withServer(l.Logger, m.name)
			return &c
		}
	case *fxshutdown.SlogLogger:
		c := *l
		c.Logger = m.slog(l.Logger)
		return &c
	}
	return logger
}

// slog adds the name of the server to the lines of l; nil means slog.Default.
func (m *module) slog(l *slog.Logger) *slog.Logger {
	l = cmp.Or(l, slog.Default())
	if m.name == "" {
		return l
	}
	return l.With("server", m.name)
}
