package fxshutdown

import (
	"errors"
	"io/fs"
	"log/slog"
	"strings"
)

// Describe returns an event as a line for a log: its level, message and attributes. Every
// logger of this module writes what Describe returns, and so should yours: then all
// loggers use the same words and keys.
//
// The level is Info for the ordinary course of a server, Warn for what clients may have
// noticed or will notice (what was retried, cancelled, cut or aborted), and Error for a
// listener that failed. An attribute is a string, a number, a bool, a [time.Duration], an
// error, a group of these, or a []Request of at most ten requests. The slice belongs to
// the caller.
//
// What a client chose is escaped and cut as [Request] says: no client can forge a line or
// make one long.
//
// Programs read logs too, so a message or a key changes only in a major version.
func Describe(e Event) (level slog.Level, message string, attrs []slog.Attr) {
	return e.describe()
}

func (e *Started) describe() (slog.Level, string, []slog.Attr) {
	var attrs []slog.Attr
	if e.Addr != nil {
		attrs = append(attrs, slog.String("addr", e.Addr.String()))
	}
	return slog.LevelInfo, "http server started", append(attrs, slog.Bool("tls", e.TLS))
}

func (e *AcceptRetrying) describe() (slog.Level, string, []slog.Attr) {
	return slog.LevelWarn, "http server cannot accept, retrying", []slog.Attr{
		slog.Any("error", e.Err), slog.Duration("delay", e.Delay),
	}
}

func (e *LimitReached) describe() (slog.Level, string, []slog.Attr) {
	return slog.LevelWarn, "http server is at its connection limit",
		append([]slog.Attr{slog.Int("max_connections", e.MaxConnections)}, e.Stats.attrs()...)
}

func (e *ServeFailed) describe() (slog.Level, string, []slog.Attr) {
	return slog.LevelError, "http server failed", []slog.Attr{slog.Any("error", e.Err)}
}

func (e *AgeGraceOver) describe() (slog.Level, string, []slog.Attr) {
	return slog.LevelWarn, "http server cut off what outlived MaxConnectionAgeGrace", []slog.Attr{
		slog.Any("reason", ErrConnectionAgeGrace),
		slog.Int("aborted", e.Aborted), slog.Int("hijacked_closed", e.HijackedClosed), requestsAttr(e.Requests),
	}
}

func (e *Unready) describe() (slog.Level, string, []slog.Attr) {
	return slog.LevelInfo, "http server unready", []slog.Attr{slog.String("reason", e.Reason)}
}

func (e *StopBegan) describe() (slog.Level, string, []slog.Attr) {
	level, attrs := slog.LevelInfo, []slog.Attr{slog.String("trigger", string(e.Trigger))}
	if e.Timeout > 0 {
		attrs = append(attrs, slog.Duration("timeout", e.Timeout))
	}
	attrs = append(attrs,
		slog.Duration("reserve", e.Reserve), slog.Duration("force", e.Force))
	if e.ShutdownDelay > 0 {
		attrs = append(attrs, slog.Duration("delay", e.ShutdownDelay))
	}
	if e.UnreadyFor > 0 {
		attrs = append(attrs, slog.Duration("unready_for", e.UnreadyFor))
	}
	if e.SkipReason != "" {
		attrs = append(attrs, slog.String("delay_skipped", string(e.SkipReason)))
	}
	if e.DrainSpread > 0 {
		attrs = append(attrs, slog.Duration("spread", e.Spread))
	}
	if e.Spread < e.DrainSpread {
		level = slog.LevelWarn
		attrs = append(attrs, slog.Duration("spread_shortened_from", e.DrainSpread))
	}
	switch e.SkipReason {
	case "", SkipTrigger, SkipHandedOver, SkipUnused, SkipElapsed:
	default: // the settings do not fit the time
		level = slog.LevelWarn
	}
	return level, "http server stopping", append(attrs, e.Stats.attrs()...)
}

func (e *DrainBegan) describe() (slog.Level, string, []slog.Attr) {
	return slog.LevelInfo, "http server draining", e.Stats.attrs()
}

func (e *ListenerClosed) describe() (slog.Level, string, []slog.Attr) {
	level, attrs := slog.LevelInfo, []slog.Attr{
		slog.Int("queued", e.Queued), slog.Duration("took", e.Duration),
	}
	warn := func(a slog.Attr) { level, attrs = slog.LevelWarn, append(attrs, a) }
	if e.Shared {
		attrs = append(attrs, slog.Bool("shared", true))
	}
	if e.Flooded {
		warn(slog.Bool("flooded", true))
	}
	if e.Unaccepted > 0 {
		warn(slog.Int("unaccepted", e.Unaccepted))
	}
	if e.AcceptErr != nil {
		warn(slog.Any("accept_error", e.AcceptErr))
	}
	if e.Handshakes > 0 {
		warn(slog.Int("handshakes", e.Handshakes))
	}
	if e.FilterErr != nil {
		remedy := "listen with plain TCP: " +
			"net.ListenConfig.SetMultipathTCP(false), or ListenConfig instead of Listener"
		if errors.Is(e.FilterErr, fs.ErrPermission) {
			remedy = "run with CAP_NET_ADMIN"
		}
		warn(slog.Any("filter_error", e.FilterErr))
		warn(slog.String("remedy", remedy))
	}
	if e.Err != nil {
		warn(slog.Any("error", e.Err))
	}
	return level, "http server closed its listener", attrs
}

func (e *StillDraining) describe() (slog.Level, string, []slog.Attr) {
	attrs := []slog.Attr{slog.Duration("waited", e.Waited)}
	if e.Left > 0 {
		attrs = append(attrs, slog.Duration("left", e.Left))
	}
	attrs = append(attrs, e.Stats.attrs()...)
	attrs = append(attrs, requestsAttr(e.Requests))
	if len(e.Hints) > 0 {
		attrs = append(attrs, slog.String("hint", strings.Join(e.Hints, "; ")))
	}
	return slog.LevelInfo, "http server still draining", attrs
}

func (e *RequestsCancelled) describe() (slog.Level, string, []slog.Attr) {
	return slog.LevelWarn, "http server cancelled requests", []slog.Attr{
		slog.Any("reason", e.Reason),
		slog.Int("count", e.Count), requestsAttr(e.Requests),
	}
}

func (e *HijackedClosed) describe() (slog.Level, string, []slog.Attr) {
	attrs := []slog.Attr{slog.Any("reason", e.Reason)}
	return slog.LevelWarn, "http server closed a hijacked connection",
		append(attrs, e.Request.attrs()...)
}

func (e *RequestAborted) describe() (slog.Level, string, []slog.Attr) {
	attrs := []slog.Attr{slog.Any("reason", e.Reason)}
	return slog.LevelWarn, "http server aborted a request",
		append(attrs, e.Request.attrs()...)
}

func (e *Stopped) describe() (slog.Level, string, []slog.Attr) {
	level, attrs := slog.LevelInfo, e.Report.attrs()
	if e.Err != nil || !e.Report.Graceful() {
		level = slog.LevelWarn
	}
	if e.Err != nil {
		attrs = append(attrs, slog.Any("error", e.Err))
	}
	return level, "http server stopped", attrs
}

func (r Report) attrs() []slog.Attr {
	phases := make([]slog.Attr, len(r.Phases))
	for i, p := range r.Phases {
		phases[i] = slog.Duration(string(p.Name), p.Duration)
	}
	attrs := []slog.Attr{
		slog.Duration("took", r.Duration),
		slog.Bool("graceful", r.Graceful()),
		slog.Int("served", r.Served),
		slog.Int("connections", r.Connections),
		slog.Int("queued", r.Queued),
		slog.Int("idle_closed", r.IdleClosed),
		slog.Int("requests_in_stop", r.Requests),
		slog.Int("answered", r.Answered),
		slog.Int("failed", r.Failed),
		slog.Int("ended", r.Ended),
		slog.Int("hijacks", r.Hijacks),
		slog.Int("cancelled", r.Cancelled),
		slog.Int("aborted", r.Aborted),
		slog.Int("unbegun", r.Unbegun),
		slog.Int("hijacked_closed", r.HijackedClosed),
		slog.GroupAttrs("phases", phases...),
	}
	if r.Forced != nil {
		attrs = append(attrs, slog.Any("forced", r.Forced))
	}
	if r.WaitedFor > 0 {
		attrs = append(attrs,
			slog.Int("waited_for", r.WaitedFor),
			slog.Any("waited_for_requests", r.WaitedForRequests[:min(len(r.WaitedForRequests), maxNamed)]))
	}
	if r.Unaccepted > 0 {
		attrs = append(attrs, slog.Int("unaccepted", r.Unaccepted))
	}
	if r.AcceptErr != nil {
		attrs = append(attrs, slog.Any("accept_error", r.AcceptErr))
	}
	if r.Handshakes > 0 {
		attrs = append(attrs, slog.Int("handshakes", r.Handshakes))
	}
	if r.ListenerErr != nil {
		attrs = append(attrs, slog.Any("listener_error", r.ListenerErr))
	}
	return attrs
}

// requestsAttr names the oldest requests.
func requestsAttr(rs []Request) slog.Attr {
	return slog.Any("requests", rs[:min(len(rs), maxNamed)])
}

func (s Stats) attrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.Int("connections", s.Open()),
		slog.Int("new", s.New),
		slog.Int("active", s.Active),
		slog.Int("idle", s.Idle),
		slog.Int("hijacked", s.Hijacked),
		slog.Int("in_flight", s.InFlight),
	}
	if s.InQueue > 0 {
		attrs = append(attrs, slog.Int("in_queue", s.InQueue))
	}
	return attrs
}

func (r Request) attrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("method", shown(r.Method)),
		slog.String("path", shown(r.Path)),
		slog.String("proto", r.Proto),
		slog.String("remote", shown(r.RemoteAddr)),
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

// LogValue returns the Request as a group of attributes, with the keys of its JSON.
func (r Request) LogValue() slog.Value { return slog.GroupValue(r.attrs()...) }
