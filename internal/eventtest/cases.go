// Package eventtest has every event of a server, and the line that a logger should write
// for it. The tests of all loggers use it.
package eventtest

import (
	"errors"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// A Case is an event and its line.
type Case struct {
	Name    string
	Event   fxshutdown.Event
	Level   slog.Level
	Message string

	// Attrs has an int as int64, an error as its text, a group as a map and a list of
	// requests as a slice of maps.
	Attrs map[string]any
}

type attrs = map[string]any

var (
	errTest = errors.New("accept: too many open files")
	request = fxshutdown.Request{
		Method: "GET", Path: "/report", Proto: "HTTP/1.1", RemoteAddr: "192.0.2.1:1234",
		Age: 3 * time.Second, Stream: true, Running: true,
	}
	requestAttrs = attrs{
		"method": "GET", "path": "/report", "proto": "HTTP/1.1", "remote": "192.0.2.1:1234",
		"age": 3 * time.Second, "stream": true, "running": true,
	}
	plain = fxshutdown.Request{
		Method: "PUT", Path: "/", Proto: "HTTP/2.0", RemoteAddr: "192.0.2.2:1",
		Age: 1500 * time.Millisecond,
	}
	plainAttrs = attrs{
		"method": "PUT", "path": "/", "proto": "HTTP/2.0", "remote": "192.0.2.2:1",
		"age": 1500 * time.Millisecond,
	}
	stats      = fxshutdown.Stats{New: 1, Active: 2, Idle: 3, Hijacked: 4, InFlight: 5}
	statsAttrs = attrs{
		"connections": int64(10), "new": int64(1), "active": int64(2), "idle": int64(3),
		"hijacked": int64(4), "in_flight": int64(5),
	}
	report = fxshutdown.Report{
		Trigger: fxshutdown.TriggerStop, Duration: 2 * time.Second, Served: 12,
		Connections: 1, Queued: 2, IdleClosed: 3,
		Requests: 4, Answered: 5, Failed: 6, Ended: 8, Hijacks: 7,
		Phases: []fxshutdown.Phase{
			{Name: "listener", Duration: time.Second},
			{Name: "drain", Duration: 2 * time.Second},
		},
	}
	reportAttrs = attrs{
		"took": 2 * time.Second, "graceful": true,
		"served": int64(12), "connections": int64(1), "queued": int64(2), "idle_closed": int64(3),
		"requests_in_stop": int64(4), "answered": int64(5), "failed": int64(6), "ended": int64(8), "hijacks": int64(7),
		"cancelled": int64(0), "aborted": int64(0), "unbegun": int64(0), "hijacked_closed": int64(0),
		"phases": attrs{"listener": time.Second, "drain": 2 * time.Second},
	}
)

// Cases returns them all.
func Cases() []Case {
	many := slices.Repeat([]fxshutdown.Request{request}, 11)
	ten := slices.Repeat([]any{requestAttrs}, 10)
	waiting := stats
	waiting.InQueue = 6
	forced := report
	forced.Forced, forced.ListenerErr = fxshutdown.ErrBudget, errTest
	forced.Unaccepted, forced.AcceptErr, forced.Handshakes = 5, errTest, 6
	forced.Aborted, forced.HijackedClosed, forced.Cancelled, forced.Unbegun = 1, 2, 3, 4
	forced.WaitedFor, forced.WaitedForRequests = 111, many

	return []Case{
		{"Started",
			&fxshutdown.Started{Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}, TLS: true},
			slog.LevelInfo, "http server started",
			attrs{"addr": "127.0.0.1:80", "tls": true}},
		{"Started/NoAddr",
			&fxshutdown.Started{},
			slog.LevelInfo, "http server started",
			attrs{"tls": false}},
		{"AcceptRetrying",
			&fxshutdown.AcceptRetrying{Err: errTest, Delay: time.Second},
			slog.LevelWarn, "http server cannot accept, retrying",
			attrs{"error": errTest.Error(), "delay": time.Second}},
		{"LimitReached",
			&fxshutdown.LimitReached{MaxConnections: 10, Stats: waiting},
			slog.LevelWarn, "http server is at its connection limit",
			with(statsAttrs, attrs{"max_connections": int64(10), "in_queue": int64(6)})},
		{"LimitReached/NotTold",
			&fxshutdown.LimitReached{MaxConnections: 10, Stats: stats},
			slog.LevelWarn, "http server is at its connection limit",
			with(statsAttrs, attrs{"max_connections": int64(10)})},
		{"ServeFailed",
			&fxshutdown.ServeFailed{Err: errTest},
			slog.LevelError, "http server failed",
			attrs{"error": errTest.Error()}},
		{"AgeGraceOver", &fxshutdown.AgeGraceOver{Aborted: 2, HijackedClosed: 1, Requests: []fxshutdown.Request{request}},
			slog.LevelWarn, "http server cut off what outlived MaxConnectionAgeGrace",
			attrs{"reason": fxshutdown.ErrConnectionAgeGrace.Error(), "aborted": int64(2), "hijacked_closed": int64(1),
				"requests": []any{requestAttrs}}},
		{"Unready",
			&fxshutdown.Unready{Reason: "signal terminated"},
			slog.LevelInfo, "http server unready",
			attrs{"reason": "signal terminated"}},
		{"StopBegan",
			&fxshutdown.StopBegan{
				Trigger: fxshutdown.TriggerStop, Timeout: 15 * time.Second, Reserve: time.Second,
				Force: 500 * time.Millisecond, ShutdownDelay: 3 * time.Second, Stats: stats},
			slog.LevelInfo, "http server stopping",
			with(statsAttrs, attrs{
				"trigger": "stop", "timeout": 15 * time.Second, "reserve": time.Second,
				"force": 500 * time.Millisecond, "delay": 3 * time.Second})},
		{"StopBegan/NoDeadline",
			&fxshutdown.StopBegan{
				Trigger: fxshutdown.TriggerStop, SkipReason: fxshutdown.SkipUnused, Stats: stats},
			slog.LevelInfo, "http server stopping",
			with(statsAttrs, attrs{
				"trigger": "stop", "reserve": time.Duration(0), "force": time.Duration(0),
				"delay_skipped": "no connection was ever accepted"})},
		{"StopBegan/Elapsed",
			&fxshutdown.StopBegan{
				Trigger: fxshutdown.TriggerStop, ShutdownDelay: 3 * time.Second, UnreadyFor: 4 * time.Second,
				SkipReason: fxshutdown.SkipElapsed, Stats: stats},
			slog.LevelInfo, "http server stopping",
			with(statsAttrs, attrs{
				"trigger": "stop", "reserve": time.Duration(0), "force": time.Duration(0),
				"delay": 3 * time.Second, "unready_for": 4 * time.Second,
				"delay_skipped": "readiness has already failed for that long"})},
		{"StopBegan/HandedOver",
			&fxshutdown.StopBegan{
				Trigger: fxshutdown.TriggerStop, ShutdownDelay: 3 * time.Second,
				SkipReason: fxshutdown.SkipHandedOver, Stats: stats},
			slog.LevelInfo, "http server stopping",
			with(statsAttrs, attrs{
				"trigger": "stop", "reserve": time.Duration(0), "force": time.Duration(0),
				"delay": 3 * time.Second, "delay_skipped": "a successor already has the listener"})},
		{"StopBegan/TooLong",
			&fxshutdown.StopBegan{
				Trigger: fxshutdown.TriggerStop, ShutdownDelay: 5 * time.Second,
				SkipReason: fxshutdown.SkipTooLong, Stats: stats},
			slog.LevelWarn, "http server stopping",
			with(statsAttrs, attrs{
				"trigger": "stop", "reserve": time.Duration(0), "force": time.Duration(0),
				"delay": 5 * time.Second, "delay_skipped": "it does not fit the stop's time"})},
		{"StopBegan/Spread", &fxshutdown.StopBegan{Trigger: fxshutdown.TriggerStop, DrainSpread: time.Minute, Spread: time.Minute, Stats: stats},
			slog.LevelInfo, "http server stopping",
			with(statsAttrs, attrs{"trigger": "stop", "reserve": time.Duration(0), "force": time.Duration(0), "spread": time.Minute})},
		{"StopBegan/SpreadShortened", &fxshutdown.StopBegan{Trigger: fxshutdown.TriggerStop, DrainSpread: time.Minute, Spread: time.Second, Stats: stats},
			slog.LevelWarn, "http server stopping",
			with(statsAttrs, attrs{"trigger": "stop", "reserve": time.Duration(0), "force": time.Duration(0), "spread": time.Second, "spread_shortened_from": time.Minute})},
		{"DrainBegan",
			&fxshutdown.DrainBegan{Stats: stats},
			slog.LevelInfo, "http server draining",
			statsAttrs},
		{"ListenerClosed",
			&fxshutdown.ListenerClosed{Queued: 3, Duration: time.Second},
			slog.LevelInfo, "http server closed its listener",
			attrs{"queued": int64(3), "took": time.Second}},
		{"ListenerClosed/Flooded",
			&fxshutdown.ListenerClosed{Queued: 3, Duration: time.Second, Flooded: true},
			slog.LevelWarn, "http server closed its listener",
			attrs{"queued": int64(3), "took": time.Second, "flooded": true}},
		{"ListenerClosed/Shared",
			&fxshutdown.ListenerClosed{Queued: 3, Duration: time.Second, Shared: true},
			slog.LevelInfo, "http server closed its listener",
			attrs{"queued": int64(3), "took": time.Second, "shared": true}},
		{"ListenerClosed/Unaccepted",
			&fxshutdown.ListenerClosed{Queued: 3, Duration: time.Second, Unaccepted: 2, AcceptErr: errTest},
			slog.LevelWarn, "http server closed its listener",
			attrs{"queued": int64(3), "took": time.Second, "unaccepted": int64(2),
				"accept_error": errTest.Error()}},
		{"ListenerClosed/Handshakes",
			&fxshutdown.ListenerClosed{Queued: 3, Duration: time.Second, Handshakes: 4},
			slog.LevelWarn, "http server closed its listener",
			attrs{"queued": int64(3), "took": time.Second, "handshakes": int64(4)}},
		{"ListenerClosed/FilterErr",
			&fxshutdown.ListenerClosed{Queued: 3, Duration: time.Second, FilterErr: errTest},
			slog.LevelWarn, "http server closed its listener",
			attrs{"queued": int64(3), "took": time.Second, "filter_error": errTest.Error(),
				"remedy": "listen with plain TCP: net.ListenConfig.SetMultipathTCP(false), " +
					"or ListenConfig instead of Listener"}},
		{"ListenerClosed/Unprivileged",
			&fxshutdown.ListenerClosed{Duration: time.Second, FilterErr: os.ErrPermission},
			slog.LevelWarn, "http server closed its listener",
			attrs{"queued": int64(0), "took": time.Second, "filter_error": os.ErrPermission.Error(),
				"remedy": "run with CAP_NET_ADMIN"}},
		{"ListenerClosed/Error",
			&fxshutdown.ListenerClosed{Queued: 3, Duration: time.Second, Err: errTest},
			slog.LevelWarn, "http server closed its listener",
			attrs{"queued": int64(3), "took": time.Second, "error": errTest.Error()}},
		{"StillDraining",
			&fxshutdown.StillDraining{
				Waited: 2 * time.Second, Left: time.Second, Stats: stats,
				Requests: []fxshutdown.Request{request, plain}},
			slog.LevelInfo, "http server still draining",
			with(statsAttrs, attrs{
				"waited": 2 * time.Second, "left": time.Second,
				"requests": []any{requestAttrs, plainAttrs}})},
		{"StillDraining/Hints",
			&fxshutdown.StillDraining{Waited: 2 * time.Second, Stats: stats, Requests: []fxshutdown.Request{plain},
				Hints: []string{"do this", "do that"}},
			slog.LevelInfo, "http server still draining",
			with(statsAttrs, attrs{"waited": 2 * time.Second, "requests": []any{plainAttrs}, "hint": "do this; do that"})},
		{"StillDraining/NoDeadline",
			&fxshutdown.StillDraining{Waited: 2 * time.Second, Stats: stats, Requests: many},
			slog.LevelInfo, "http server still draining",
			with(statsAttrs, attrs{"waited": 2 * time.Second, "requests": ten})},
		{"RequestsCancelled",
			&fxshutdown.RequestsCancelled{
				Reason: fxshutdown.ErrRequestGrace, Count: 1, Requests: []fxshutdown.Request{request}},
			slog.LevelWarn, "http server cancelled requests",
			attrs{
				"reason": fxshutdown.ErrRequestGrace.Error(), "count": int64(1),
				"requests": []any{requestAttrs}}},
		{"RequestsCancelled/Many",
			&fxshutdown.RequestsCancelled{Reason: fxshutdown.ErrRequestGrace, Count: 111, Requests: many},
			slog.LevelWarn, "http server cancelled requests",
			attrs{
				"reason": fxshutdown.ErrRequestGrace.Error(), "count": int64(111),
				"requests": ten}},
		{"HijackedClosed",
			&fxshutdown.HijackedClosed{Reason: fxshutdown.ErrHijackGrace, Request: request},
			slog.LevelWarn, "http server closed a hijacked connection",
			with(requestAttrs, attrs{"reason": fxshutdown.ErrHijackGrace.Error()})},
		{"RequestAborted",
			&fxshutdown.RequestAborted{Reason: fxshutdown.ErrBudget, Request: plain},
			slog.LevelWarn, "http server aborted a request",
			with(plainAttrs, attrs{"reason": fxshutdown.ErrBudget.Error()})},
		{"Stopped",
			&fxshutdown.Stopped{Report: report},
			slog.LevelInfo, "http server stopped",
			reportAttrs},
		{"Stopped/Error",
			&fxshutdown.Stopped{Report: report, Err: errTest},
			slog.LevelWarn, "http server stopped",
			with(reportAttrs, attrs{"error": errTest.Error()})},
		{"Stopped/Forced",
			&fxshutdown.Stopped{Report: forced},
			slog.LevelWarn, "http server stopped",
			with(reportAttrs, attrs{
				"graceful": false, "cancelled": int64(3), "aborted": int64(1), "unbegun": int64(4), "hijacked_closed": int64(2),
				"waited_for": int64(111), "waited_for_requests": ten,
				"forced": fxshutdown.ErrBudget.Error(), "listener_error": errTest.Error(),
				"unaccepted": int64(5), "accept_error": errTest.Error(), "handshakes": int64(6)})},
	}
}

func with(base, more attrs) attrs {
	m := maps.Clone(base)
	maps.Copy(m, more)
	return m
}
