package fxhttp_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"maps"
	"net"
	"reflect"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// TestLoggers runs every event through both loggers, which say the same.
func TestLoggers(t *testing.T) {
	errTest := errors.New("accept: too many open files")
	req := fxshutdown.Request{Method: "GET", Path: "/report", Proto: "HTTP/1.1", RemoteAddr: "192.0.2.1:1234", Age: 3 * time.Second, Stream: true, Running: true}
	reqFields := map[string]any{
		"method": "GET", "path": "/report", "proto": "HTTP/1.1", "remote": "192.0.2.1:1234",
		"age": 3 * time.Second, "stream": true, "running": true,
	}
	stats := fxshutdown.Stats{New: 1, Active: 2, Idle: 3, Hijacked: 4, InFlight: 5}
	statsFields := map[string]any{
		"connections": int64(10), "new": int64(1), "active": int64(2), "idle": int64(3), "hijacked": int64(4), "in_flight": int64(5),
	}
	with := func(base, more map[string]any) map[string]any {
		m := maps.Clone(base)
		maps.Copy(m, more)
		return m
	}
	report := fxshutdown.Report{
		Trigger: "stop", Duration: 2 * time.Second, Connections: 1, Queued: 2, Dropped: 3, Requests: 4, Answered: 5, Failed: 6, Hijacked: 7,
		Phases: []fxshutdown.Phase{{Name: "listener", Duration: time.Second}, {Name: "drain", Duration: 2 * time.Second}},
	}
	reportFields := map[string]any{
		"took": 2 * time.Second, "graceful": true, "connections": int64(1), "queued": int64(2), "dropped": int64(3), "requests": int64(4),
		"answered": int64(5), "failed": int64(6), "hijacked": int64(7), "cancelled": int64(0), "aborted": int64(0), "cut": int64(0),
		"phases": map[string]any{"listener": time.Second, "drain": 2 * time.Second},
	}
	forced := report
	forced.Forced, forced.ListenerErr = fxshutdown.ErrBudget, errTest
	forced.Aborted, forced.Cut, forced.Cancelled = []fxshutdown.Request{req}, []fxshutdown.Request{req, req}, []fxshutdown.Request{req, req, req}
	many := slices.Repeat([]fxshutdown.Request{req}, 11)

	tests := []struct {
		name   string
		event  fxshutdown.Event
		level  zapcore.Level
		msg    string
		fields map[string]any
	}{
		{"Started", &fxshutdown.Started{Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}, TLS: true},
			zapcore.InfoLevel, "http server started", map[string]any{"addr": "127.0.0.1:80", "tls": true}},
		{"Started/NoAddr", &fxshutdown.Started{},
			zapcore.InfoLevel, "http server started", map[string]any{"tls": false}},
		{"AcceptRetrying", &fxshutdown.AcceptRetrying{Err: errTest, Delay: time.Second},
			zapcore.WarnLevel, "http server cannot accept, retrying", map[string]any{"error": errTest.Error(), "delay": time.Second}},
		{"ServeFailed", &fxshutdown.ServeFailed{Err: errTest},
			zapcore.ErrorLevel, "http server failed", map[string]any{"error": errTest.Error()}},
		{"Stopping", &fxshutdown.Stopping{Trigger: "stop", Left: 15 * time.Second, Reserve: time.Second, Force: 500 * time.Millisecond, Delay: 3 * time.Second, Stats: stats},
			zapcore.InfoLevel, "http server stopping", with(statsFields, map[string]any{
				"trigger": "stop", "left": 15 * time.Second, "reserve": time.Second, "force": 500 * time.Millisecond, "delay": 3 * time.Second})},
		{"Stopping/NoDeadline", &fxshutdown.Stopping{Trigger: "stop", Skipped: "no connection was ever accepted", Stats: stats},
			zapcore.InfoLevel, "http server stopping", with(statsFields, map[string]any{
				"trigger": "stop", "reserve": time.Duration(0), "force": time.Duration(0), "delay_skipped": "no connection was ever accepted"})},
		{"Stopping/NoRoom", &fxshutdown.Stopping{Trigger: "stop", Skipped: "the budget has no room for 5s", NoRoom: true, Stats: stats},
			zapcore.WarnLevel, "http server stopping", with(statsFields, map[string]any{
				"trigger": "stop", "reserve": time.Duration(0), "force": time.Duration(0), "delay_skipped": "the budget has no room for 5s"})},
		{"DrainBegan", &fxshutdown.DrainBegan{Stats: stats},
			zapcore.InfoLevel, "http server draining", statsFields},
		{"ListenerClosed", &fxshutdown.ListenerClosed{Queued: 3, Took: time.Second},
			zapcore.InfoLevel, "http server closed its listener", map[string]any{"queued": int64(3), "took": time.Second}},
		{"ListenerClosed/Flooded", &fxshutdown.ListenerClosed{Queued: 3, Took: time.Second, Flooded: true, Err: errTest},
			zapcore.WarnLevel, "http server closed its listener", map[string]any{"queued": int64(3), "took": time.Second, "flooded": true, "error": errTest.Error()}},
		{"StillDraining", &fxshutdown.StillDraining{Waited: 2 * time.Second, Left: time.Second, Stats: stats, Requests: []fxshutdown.Request{req}},
			zapcore.InfoLevel, "http server still draining", with(statsFields, map[string]any{
				"waited": 2 * time.Second, "left": time.Second, "requests": []any{reqFields}})},
		{"StillDraining/NoDeadline", &fxshutdown.StillDraining{Waited: 2 * time.Second, Stats: stats, Requests: many},
			zapcore.InfoLevel, "http server still draining", with(statsFields, map[string]any{
				"waited": 2 * time.Second, "requests": slices.Repeat([]any{reqFields}, 10)})},
		{"RequestsCancelled", &fxshutdown.RequestsCancelled{Reason: fxshutdown.ErrRequestGrace, Requests: []fxshutdown.Request{req}},
			zapcore.WarnLevel, "http server cancelled requests", map[string]any{
				"reason": fxshutdown.ErrRequestGrace.Error(), "count": int64(1), "requests": []any{reqFields}}},
		{"RequestsCancelled/Many", &fxshutdown.RequestsCancelled{Reason: fxshutdown.ErrRequestGrace, Requests: many},
			zapcore.WarnLevel, "http server cancelled requests", map[string]any{
				"reason": fxshutdown.ErrRequestGrace.Error(), "count": int64(11), "requests": slices.Repeat([]any{reqFields}, 10)}},
		{"HijackedClosed", &fxshutdown.HijackedClosed{Reason: fxshutdown.ErrHijackGrace, Request: req},
			zapcore.WarnLevel, "http server closed a hijacked connection", with(reqFields, map[string]any{"reason": fxshutdown.ErrHijackGrace.Error()})},
		{"RequestAborted", &fxshutdown.RequestAborted{Reason: fxshutdown.ErrBudget, Request: req},
			zapcore.WarnLevel, "http server aborted a request", with(reqFields, map[string]any{"reason": fxshutdown.ErrBudget.Error()})},
		{"Stopped", &fxshutdown.Stopped{Report: report},
			zapcore.InfoLevel, "http server stopped", reportFields},
		{"Stopped/Forced", &fxshutdown.Stopped{Report: forced, Err: errTest},
			zapcore.WarnLevel, "http server stopped", with(reportFields, map[string]any{
				"graceful": false, "cancelled": int64(3), "aborted": int64(1), "cut": int64(2),
				"forced": fxshutdown.ErrBudget.Error(), "listener_error": errTest.Error(), "error": errTest.Error()})},
	}

	seen := make(map[string]bool)
	for _, tt := range tests {
		seen[fmt.Sprintf("%T", tt.event)] = true
		t.Run(tt.name, func(t *testing.T) {
			core, logs := observer.New(zapcore.DebugLevel)
			(&fxhttp.ZapLogger{Logger: zap.New(core)}).LogEvent(tt.event)
			if logs.Len() != 1 {
				t.Fatalf("logged %v, want one line", logs.All())
			}
			got := logs.All()[0]
			if got.Level != tt.level || got.Message != tt.msg {
				t.Errorf("logged %v %q, want %v %q", got.Level, got.Message, tt.level, tt.msg)
			}
			if got, want := fmt.Sprint(got.ContextMap()), fmt.Sprint(tt.fields); got != want {
				t.Errorf("fields = %v\nwant %v", got, want)
			}
			if zap, slog := zapJSON(t, tt.event), slogJSON(t, tt.event); !reflect.DeepEqual(zap, slog) {
				t.Errorf("ZapLogger and SlogLogger differ:\n%v\n%v", zap, slog)
			}
		})
	}

	// A new event needs its line here, and in both loggers.
	for _, name := range eventTypes(t) {
		if !seen[name] {
			t.Errorf("%s is missing from this table", name)
		}
	}
}

// zapJSON and slogJSON return the line that an event is to each of the loggers.
func zapJSON(t *testing.T, event fxshutdown.Event) map[string]any {
	var buf bytes.Buffer
	encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		MessageKey: slog.MessageKey, LevelKey: slog.LevelKey,
		EncodeLevel: zapcore.CapitalLevelEncoder, EncodeDuration: zapcore.NanosDurationEncoder,
	})
	logger := zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&buf), zapcore.DebugLevel))
	(&fxhttp.ZapLogger{Logger: logger}).LogEvent(event)
	return decode(t, &buf)
}

func slogJSON(t *testing.T, event fxshutdown.Event) map[string]any {
	var buf bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&buf, &slog.HandlerOptions{Level: slog.LevelDebug}))
	(&fxshutdown.SlogLogger{Logger: logger}).LogEvent(event)
	line := decode(t, &buf)
	delete(line, slog.TimeKey)
	return line
}

func decode(t *testing.T, buf *bytes.Buffer) (line map[string]any) {
	if err := json.Unmarshal(buf.Bytes(), &line); err != nil {
		t.Fatalf("%v in %q", err, buf)
	}
	return line
}

// eventTypes returns the types that implement fxshutdown.Event, as its source
// has them.
func eventTypes(t *testing.T) []string {
	file, err := parser.ParseFile(token.NewFileSet(), "fxshutdown/event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Name.Name == "event" && f.Recv != nil {
			names = append(names, "*fxshutdown."+f.Recv.List[0].Type.(*ast.StarExpr).X.(*ast.Ident).Name)
		}
	}
	if len(names) == 0 {
		t.Fatal("no events found in fxshutdown/event.go")
	}
	return names
}
