package fxshutdown

import (
	"context"
	"log/slog"
	"time"
)

// SlogLogger logs events by log/slog: a line a phase at Info, what was
// cancelled, cut or aborted at Warn, a failed listener at Error.
type SlogLogger struct {
	// Logger is used; nil means slog.Default().
	Logger *slog.Logger
}

// LogEvent implements [Logger].
func (l *SlogLogger) LogEvent(e Event) {
	log := l.Logger
	if log == nil {
		log = slog.Default()
	}
	level, msg, attrs := describe(e)
	log.LogAttrs(context.Background(), level, msg, attrs...)
}

func describe(e Event) (slog.Level, string, []slog.Attr) {
	switch e := e.(type) {
	case *Started:
		return slog.LevelInfo, "http server started", []slog.Attr{
			slog.String("addr", addrString(e.Addr)), slog.Bool("tls", e.TLS),
		}
	case *AcceptRetrying:
		return slog.LevelWarn, "http server cannot accept, retrying", []slog.Attr{
			slog.Any("error", e.Err), slog.Duration("delay", e.Delay),
		}
	case *ServeFailed:
		return slog.LevelError, "http server failed", []slog.Attr{slog.Any("error", e.Err)}
	case *Stopping:
		attrs := []slog.Attr{
			slog.String("trigger", e.Trigger),
			slog.Duration("left", e.Left),
			slog.Duration("reserve", e.Reserve),
			slog.Duration("force", e.Force),
			slog.Duration("delay", e.Delay),
			slog.Int("connections", e.Stats.Open()),
			slog.Int("in_flight", e.Stats.InFlight),
		}
		if e.Skipped != "" {
			attrs = append(attrs, slog.String("delay_skipped", e.Skipped))
		}
		return slog.LevelInfo, "http server stopping", attrs
	case *DrainBegan:
		return slog.LevelInfo, "http server draining", []slog.Attr{
			slog.Int("new", e.Stats.New), slog.Int("active", e.Stats.Active),
			slog.Int("idle", e.Stats.Idle), slog.Int("hijacked", e.Stats.Hijacked),
			slog.Int("in_flight", e.Stats.InFlight),
		}
	case *ListenerClosed:
		level, attrs := slog.LevelInfo, []slog.Attr{
			slog.Int("queued", e.Queued), slog.Duration("took", e.Took),
		}
		if e.Flooded || e.Err != nil {
			level = slog.LevelWarn
			attrs = append(attrs, slog.Bool("flooded", e.Flooded), slog.Any("error", e.Err))
		}
		return level, "http server closed its listener", attrs
	case *RequestsCancelled:
		return slog.LevelWarn, "http server cancelled requests", []slog.Attr{
			slog.Any("reason", e.Reason), slog.Int("requests", len(e.Requests)),
			slog.Any("oldest", oldest(e.Requests)),
		}
	case *HijackedClosed:
		return slog.LevelWarn, "http server closed a hijacked connection", []slog.Attr{
			slog.Any("reason", e.Reason), slog.Any("request", e.Request),
		}
	case *RequestAborted:
		return slog.LevelWarn, "http server aborted a request", []slog.Attr{
			slog.Any("reason", e.Reason), slog.Any("request", e.Request),
		}
	case *Stopped:
		level, r := slog.LevelInfo, e.Report
		attrs := []slog.Attr{
			slog.Duration("took", r.Duration),
			slog.Bool("graceful", r.Graceful()),
			slog.Int("requests", r.Requests), slog.Int("answered", r.Answered),
			slog.Int("failed", r.Failed), slog.Int("hijacked", r.Hijacked),
			slog.Int("aborted", len(r.Aborted)), slog.Int("cut", len(r.Cut)),
			slog.Int("dropped", r.Dropped), slog.Int("queued", r.Queued),
		}
		if e.Err != nil {
			level = slog.LevelWarn
			attrs = append(attrs, slog.Any("error", e.Err))
		}
		return level, "http server stopped", attrs
	}
	return slog.LevelWarn, "http server event", []slog.Attr{slog.Any("event", e)}
}

// LogValue makes a Request a group of attributes.
func (r Request) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("method", r.Method),
		slog.String("path", r.Path),
		slog.String("proto", r.Proto),
		slog.String("remote", r.RemoteAddr),
		slog.Duration("age", r.Age.Round(time.Millisecond)),
	}
	if r.Stream {
		attrs = append(attrs, slog.Bool("stream", true))
	}
	if r.Running {
		attrs = append(attrs, slog.Bool("running", true))
	}
	return slog.GroupValue(attrs...)
}

func oldest(rs []Request) (old Request) {
	for _, r := range rs {
		if r.Age >= old.Age {
			old = r
		}
	}
	return old
}
