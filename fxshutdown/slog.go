package fxshutdown

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// SlogLogger logs events by log/slog: a line a phase at Info, what was
// retried, cancelled, cut or aborted at Warn, a failed listener at Error.
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
		var attrs []slog.Attr
		if e.Addr != nil {
			attrs = append(attrs, slog.String("addr", e.Addr.String()))
		}
		return slog.LevelInfo, "http server started", append(attrs, slog.Bool("tls", e.TLS))
	case *AcceptRetrying:
		return slog.LevelWarn, "http server cannot accept, retrying", []slog.Attr{
			slog.Any("error", e.Err), slog.Duration("delay", e.Delay),
		}
	case *ServeFailed:
		return slog.LevelError, "http server failed", []slog.Attr{slog.Any("error", e.Err)}
	case *Stopping:
		attrs := []slog.Attr{slog.String("trigger", e.Trigger)}
		if e.Left > 0 {
			attrs = append(attrs, slog.Duration("left", e.Left))
		}
		attrs = append(attrs, slog.Duration("reserve", e.Reserve), slog.Duration("force", e.Force))
		if e.Delay > 0 {
			attrs = append(attrs, slog.Duration("delay", e.Delay))
		}
		level := slog.LevelInfo
		if e.Skipped != "" {
			attrs = append(attrs, slog.String("delay_skipped", e.Skipped))
		}
		if e.NoRoom {
			level = slog.LevelWarn
		}
		return level, "http server stopping", append(attrs, statsAttrs(e.Stats)...)
	case *DrainBegan:
		return slog.LevelInfo, "http server draining", statsAttrs(e.Stats)
	case *ListenerClosed:
		level, attrs := slog.LevelInfo, []slog.Attr{
			slog.Int("queued", e.Queued), slog.Duration("took", e.Took),
		}
		if e.Flooded {
			level, attrs = slog.LevelWarn, append(attrs, slog.Bool("flooded", true))
		}
		if e.Err != nil {
			level, attrs = slog.LevelWarn, append(attrs, slog.Any("error", e.Err))
		}
		return level, "http server closed its listener", attrs
	case *StillDraining:
		attrs := []slog.Attr{slog.Duration("waited", e.Waited)}
		if e.Left > 0 {
			attrs = append(attrs, slog.Duration("left", e.Left))
		}
		return slog.LevelInfo, "http server still draining", append(append(attrs, statsAttrs(e.Stats)...), requestsAttr(e.Requests))
	case *RequestsCancelled:
		return slog.LevelWarn, "http server cancelled requests", []slog.Attr{
			slog.Any("reason", e.Reason), slog.Int("count", len(e.Requests)), requestsAttr(e.Requests),
		}
	case *HijackedClosed:
		return slog.LevelWarn, "http server closed a hijacked connection",
			append([]slog.Attr{slog.Any("reason", e.Reason)}, e.Request.attrs()...)
	case *RequestAborted:
		return slog.LevelWarn, "http server aborted a request",
			append([]slog.Attr{slog.Any("reason", e.Reason)}, e.Request.attrs()...)
	case *Stopped:
		level := slog.LevelInfo
		if e.Err != nil || !e.Report.Graceful() {
			level = slog.LevelWarn
		}
		return level, "http server stopped", stoppedAttrs(e)
	}
	return slog.LevelInfo, strings.TrimPrefix(fmt.Sprintf("%T", e), "*fxshutdown."), nil
}

func stoppedAttrs(e *Stopped) []slog.Attr {
	r := e.Report
	phases := make([]any, len(r.Phases))
	for i, p := range r.Phases {
		phases[i] = slog.Duration(p.Name, p.Duration)
	}
	attrs := []slog.Attr{
		slog.Duration("took", r.Duration),
		slog.Bool("graceful", r.Graceful()),
		slog.Int("connections", r.Connections),
		slog.Int("queued", r.Queued),
		slog.Int("dropped", r.Dropped),
		slog.Int("requests", r.Requests),
		slog.Int("answered", r.Answered),
		slog.Int("failed", r.Failed),
		slog.Int("hijacked", r.Hijacked),
		slog.Int("cancelled", len(r.Cancelled)),
		slog.Int("aborted", len(r.Aborted)),
		slog.Int("cut", len(r.Cut)),
		slog.Group("phases", phases...),
	}
	if r.Forced != nil {
		attrs = append(attrs, slog.Any("forced", r.Forced))
	}
	if r.ListenerErr != nil {
		attrs = append(attrs, slog.Any("listener_error", r.ListenerErr))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.Any("error", e.Err))
	}
	return attrs
}

// requestsAttr shows the oldest requests.
func requestsAttr(rs []Request) slog.Attr {
	const most = 10
	return slog.Any("requests", rs[:min(len(rs), most)])
}

func statsAttrs(s Stats) []slog.Attr {
	return []slog.Attr{
		slog.Int("connections", s.Open()),
		slog.Int("new", s.New),
		slog.Int("active", s.Active),
		slog.Int("idle", s.Idle),
		slog.Int("hijacked", s.Hijacked),
		slog.Int("in_flight", s.InFlight),
	}
}

// LogValue makes a Request a group of attributes.
func (r Request) LogValue() slog.Value { return slog.GroupValue(r.attrs()...) }

func (r Request) attrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("method", r.Method),
		slog.String("path", r.Path),
		slog.String("proto", r.Proto),
		slog.String("remote", r.RemoteAddr),
		slog.Duration("age", r.Age),
	}
	if r.Stream {
		attrs = append(attrs, slog.Bool("stream", true))
	}
	if r.Running {
		attrs = append(attrs, slog.Bool("running", true))
	}
	return attrs
}
