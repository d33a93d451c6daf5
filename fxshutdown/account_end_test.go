package fxshutdown_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// holders are requests that keep a stop waiting until the force phase, and then end on
// their own.
var holders = []struct {
	name string
	play func(http.ResponseWriter, *http.Request)
}{
	{"Request", func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		w.WriteHeader(http.StatusServiceUnavailable)
	}},
	{"Stream", func(w http.ResponseWriter, r *http.Request) {
		fxshutdown.Draining(r.Context())
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}},
	{"Hijacked", func(w http.ResponseWriter, r *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		<-r.Context().Done()
		c.Close()
	}},
}

// The last line of a stop that was not graceful, and its report, name what it waited for,
// even if that ended on its own when its context was cancelled.
func TestEndNamesWhatItWaitedFor(t *testing.T) {
	for _, h := range holders {
		t.Run(h.name, func(t *testing.T) {
			modes := allModes
			if h.name == "Hijacked" {
				modes = h1Modes
			}
			bubbles(t, modes, func(t *testing.T, m mode) {
				log := &syncBuffer{}
				entered := make(chan struct{}, 1)
				s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
					entered <- struct{}{}
					h.play(w, r)
				}, onPipe, idleGrace(5*time.Millisecond), textLog(log))
				s.goGet(s.client(), "/waited-for")
				receive(t, "the handler", entered)
				receive(t, "Stop()", s.stopIn(300*time.Millisecond))
				if r := s.Report(); r.Graceful() || !strings.Contains(fmt.Sprintf("%+v", r), "/waited-for") {
					t.Errorf("Report() = %+v, want it to name what the stop waited for, and not to be graceful", r)
				}
				waitStopped(t, log)
				if last := lastLine(log); !strings.Contains(last, "/waited-for") {
					t.Errorf("the last line is\n%s\nwant it to name what the stop waited for", last)
				}
			})
		})
	}
}

// textLog is a setting: log by log/slog's text handler.
func textLog(w io.Writer) setting {
	return config(func(c *fxshutdown.Config) {
		c.Logger = &fxshutdown.SlogLogger{Logger: slog.New(slog.NewTextHandler(w, nil))}
	})
}

func lastLine(b *syncBuffer) string {
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	return lines[len(lines)-1]
}

// "Still draining" says what to do about what it names, once.
func TestStillDrainingSaysTheRemedy(t *testing.T) {
	for _, c := range []struct{ name, send, remedy string }{
		{"Request", "GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n", "Draining"},
		{"Hijacked", "GET /hijack HTTP/1.1\r\nHost: localhost\r\n\r\n", "HijackGrace"},
		{"H2CHandler", "PRI * HTTP/2.0\r\n\r\n", "Protocols"}, // h2c.NewHandler hijacks it
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := &syncBuffer{}
				leave, entered := make(chan struct{}), make(chan struct{}, 2)
				s := start(t, h1, func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/hijack" || r.Method == "PRI" {
						nc, _, err := http.NewResponseController(w).Hijack()
						if err != nil {
							t.Errorf("Hijack() = %v", err)
							return
						}
						defer nc.Close()
					}
					entered <- struct{}{}
					<-leave
				}, onPipe, textLog(log))
				for range 2 {
					s.raw().send(c.send)
					receive(t, "the handler", entered)
				}
				done := s.stopIn(time.Hour)
				time.Sleep(3 * time.Second)
				var told string
				for line := range strings.Lines(log.String()) {
					if strings.Contains(line, "still draining") {
						told += line
					}
				}
				if n := strings.Count(told, c.remedy); n != 1 {
					t.Errorf("the log names %s %d times, want once:\n%s", c.remedy, n, told)
				}
				close(leave)
				wantStopped(t, done)
			})
		})
	}
}

// A Report is JSON with the names of the log, errors as text.
func TestReportJSON(t *testing.T) {
	s, _, _ := startHeld(t, h1, "/cut", onPipe, idleGrace(5*time.Millisecond))
	receive(t, "Stop()", s.stopIn(100*time.Millisecond))
	b, err := json.Marshal(s.Report())
	if err != nil {
		t.Fatalf("Marshal(Report()) = %v", err)
	}
	var all map[string]any
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(fmt.Sprint(all["forced"]), "no time left") {
		t.Errorf(`Report()'s JSON has "forced": %v, want the text of ErrBudget; all of it: %s`, all["forced"], b)
	}
	if bytes.Contains(b, []byte("{}")) {
		t.Errorf("Report()'s JSON has an empty object, as an error without its text: %s", b)
	}
	wantLowerKeys(t, all)
}

// wantLowerKeys checks that all names are those of JSON, in nested objects too.
func wantLowerKeys(t *testing.T, v any) {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if key != strings.ToLower(key) {
				t.Errorf("Report()'s JSON has the name %q", key)
			}
			wantLowerKeys(t, value)
		}
	case []any:
		for _, e := range v {
			wantLowerKeys(t, e)
		}
	}
}
