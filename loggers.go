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

// eventLogger returns the logger of the server's events. The library's own loggers mention
// fx.StopTimeout.
func (s *settings) eventLogger() fxshutdown.Logger {
	l := s.chosenLogger()
	switch l.(type) {
	case *ZapLogger, *fxshutdown.SlogLogger:
		return stopTimeoutLogger{l}
	}
	return l
}

// stopTimeoutLogger names the limit of a stop as users of Fx know it, fx.StopTimeout.
type stopTimeoutLogger struct{ fxshutdown.Logger }

const skipStopTimeout fxshutdown.SkipReason = "it does not fit fx.StopTimeout"

func (l stopTimeoutLogger) LogEvent(e fxshutdown.Event) {
	if s, ok := e.(*fxshutdown.StopBegan); ok && s.SkipReason == fxshutdown.SkipTooLong {
		named := *s
		named.SkipReason = skipStopTimeout
		e = &named
	}
	l.Logger.LogEvent(e)
}

func (s *settings) chosenLogger() fxshutdown.Logger {
	switch {
	case s.logger != nil:
		return s.logger
	case s.fromGraph.Logger != nil:
		return s.named(s.fromGraph.Logger)
	case s.fromGraph.Zap != nil:
		return &ZapLogger{Logger: withServer(s.fromGraph.Zap, s.name)}
	default:
		return &fxshutdown.SlogLogger{Logger: s.slog(nil)}
	}
}

// named adds the name of the server to the lines of a logger of the graph, which several
// servers may share, if it is one of the library's own.
func (s *settings) named(logger fxshutdown.Logger) fxshutdown.Logger {
	if s.name == "" || isNil(logger) {
		return logger
	}
	switch l := logger.(type) {
	case *ZapLogger:
		if l.Logger != nil {
			c := *l // a copy, which keeps the levels
			c.Logger = withServer(l.Logger, s.name)
			return &c
		}
	case *fxshutdown.SlogLogger:
		c := *l
		c.Logger = s.slog(l.Logger)
		return &c
	}
	return logger
}

// slog adds the name of the server to the lines of l; nil means slog.Default.
func (s *settings) slog(l *slog.Logger) *slog.Logger {
	l = cmp.Or(l, slog.Default())
	if s.name == "" {
		return l
	}
	return l.With("server", s.name)
}

// warn logs a warning about the server.
func (s *settings) warn(msg string) {
	if logger := s.fromGraph.Zap; logger != nil {
		withServer(logger, s.name).Warn(msg)
	} else {
		s.slog(nil).Warn(msg)
	}
}
