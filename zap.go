package fxhttp

import (
	"fmt"
	"net"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// ZapLogger logs the events of a server: a line a phase at info level, what was
// retried, dropped by force, cancelled or aborted at warn level, the failure of
// the listener at error level. [Module] uses it if the graph has a *zap.Logger;
// a named server's lines carry its name as the field "server".
type ZapLogger struct {
	Logger *zap.Logger
}

var _ fxshutdown.Logger = (*ZapLogger)(nil)

// LogEvent logs the event, in the words of [fxshutdown.SlogLogger].
func (l *ZapLogger) LogEvent(event fxshutdown.Event) {
	switch e := event.(type) {
	case *fxshutdown.Started:
		l.Logger.Info("http server started",
			addrField(e.Addr), zap.Bool("tls", e.TLS))
	case *fxshutdown.AcceptRetrying:
		l.Logger.Warn("http server cannot accept, retrying",
			zap.Error(e.Err), zap.Duration("delay", e.Delay))
	case *fxshutdown.ServeFailed:
		l.Logger.Error("http server failed", zap.Error(e.Err))
	case *fxshutdown.Stopping:
		fields := []zap.Field{zap.String("trigger", e.Trigger)}
		if e.Left > 0 {
			fields = append(fields, zap.Duration("left", e.Left))
		}
		fields = append(fields, zap.Duration("reserve", e.Reserve), zap.Duration("force", e.Force))
		if e.Delay > 0 {
			fields = append(fields, zap.Duration("delay", e.Delay))
		}
		level := zapcore.InfoLevel
		if e.Skipped != "" {
			fields = append(fields, zap.String("delay_skipped", e.Skipped))
		}
		if e.NoRoom {
			level = zapcore.WarnLevel
		}
		l.Logger.Log(level, "http server stopping", append(fields, statsFields(e.Stats)...)...)
	case *fxshutdown.DrainBegan:
		l.Logger.Info("http server draining", statsFields(e.Stats)...)
	case *fxshutdown.ListenerClosed:
		level := zapcore.InfoLevel
		fields := []zap.Field{zap.Int("queued", e.Queued), zap.Duration("took", e.Took)}
		if e.Flooded {
			level = zapcore.WarnLevel
			fields = append(fields, zap.Bool("flooded", true))
		}
		if e.Err != nil {
			level = zapcore.WarnLevel
			fields = append(fields, zap.Error(e.Err))
		}
		l.Logger.Log(level, "http server closed its listener", fields...)
	case *fxshutdown.StillDraining:
		fields := []zap.Field{zap.Duration("waited", e.Waited)}
		if e.Left > 0 {
			fields = append(fields, zap.Duration("left", e.Left))
		}
		fields = append(fields, statsFields(e.Stats)...)
		l.Logger.Info("http server still draining", append(fields, requestsField("requests", e.Requests))...)
	case *fxshutdown.RequestsCancelled:
		l.Logger.Warn("http server cancelled requests",
			zap.NamedError("reason", e.Reason), zap.Int("count", len(e.Requests)), requestsField("requests", e.Requests))
	case *fxshutdown.HijackedClosed:
		l.Logger.Warn("http server closed a hijacked connection",
			zap.NamedError("reason", e.Reason), zap.Inline(request(e.Request)))
	case *fxshutdown.RequestAborted:
		l.Logger.Warn("http server aborted a request",
			zap.NamedError("reason", e.Reason), zap.Inline(request(e.Request)))
	case *fxshutdown.Stopped:
		level := zapcore.InfoLevel
		if e.Err != nil || !e.Report.Graceful() {
			level = zapcore.WarnLevel
		}
		l.Logger.Log(level, "http server stopped", stoppedFields(e)...)
	default:
		// Of a newer engine.
		l.Logger.Info(strings.TrimPrefix(fmt.Sprintf("%T", e), "*fxshutdown."))
	}
}

func stoppedFields(e *fxshutdown.Stopped) []zap.Field {
	r := e.Report
	fields := []zap.Field{
		zap.Duration("took", r.Duration),
		zap.Bool("graceful", r.Graceful()),
		zap.Int("connections", r.Connections),
		zap.Int("queued", r.Queued),
		zap.Int("dropped", r.Dropped),
		zap.Int("requests", r.Requests),
		zap.Int("answered", r.Answered),
		zap.Int("failed", r.Failed),
		zap.Int("hijacked", r.Hijacked),
		zap.Int("cancelled", len(r.Cancelled)),
		zap.Int("aborted", len(r.Aborted)),
		zap.Int("cut", len(r.Cut)),
		zap.Object("phases", phases(r.Phases)),
	}
	if r.Forced != nil {
		fields = append(fields, zap.NamedError("forced", r.Forced))
	}
	if r.ListenerErr != nil {
		fields = append(fields, zap.NamedError("listener_error", r.ListenerErr))
	}
	if e.Err != nil {
		fields = append(fields, zap.Error(e.Err))
	}
	return fields
}

func addrField(addr net.Addr) zap.Field {
	if addr == nil {
		return zap.Skip()
	}
	return zap.Stringer("addr", addr)
}

func statsFields(s fxshutdown.Stats) []zap.Field {
	return []zap.Field{
		zap.Int("connections", s.Open()),
		zap.Int("new", s.New),
		zap.Int("active", s.Active),
		zap.Int("idle", s.Idle),
		zap.Int("hijacked", s.Hijacked),
		zap.Int("in_flight", s.InFlight),
	}
}

// requestsField shows the oldest requests. The count is a field of its own.
func requestsField(key string, requests []fxshutdown.Request) zap.Field {
	const most = 10
	shown := make([]request, min(len(requests), most))
	for i := range shown {
		shown[i] = request(requests[i])
	}
	return zap.Objects(key, shown)
}

type request fxshutdown.Request

func (r request) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	enc.AddString("method", r.Method)
	enc.AddString("path", r.Path)
	enc.AddString("proto", r.Proto)
	enc.AddString("remote", r.RemoteAddr)
	enc.AddDuration("age", r.Age)
	if r.Stream {
		enc.AddBool("stream", true)
	}
	if r.Running {
		enc.AddBool("running", true)
	}
	return nil
}

type phases []fxshutdown.Phase

func (ps phases) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	for _, p := range ps {
		enc.AddDuration(p.Name, p.Duration)
	}
	return nil
}
