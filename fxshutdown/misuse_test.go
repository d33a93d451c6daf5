package fxshutdown_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Misuse is logged as often as by net/http, and correct use is not logged.
func TestMisuseIsNetHTTPs(t *testing.T) {
	for _, c := range []struct {
		name  string
		modes []mode // HTTP/2 has neither ReadFrom, nor Hijack, nor 101
		call  http.HandlerFunc
		want  int // lines
	}{
		{"Informational", allModes, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusProcessing)
			w.WriteHeader(http.StatusTeapot)
		}, 0},
		{"InformationalLate", allModes, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTeapot)
			w.WriteHeader(http.StatusEarlyHints)
		}, 1},
		{"CopiedNothing", h1Modes, func(w http.ResponseWriter, _ *http.Request) {
			io.Copy(w, strings.NewReader(""))
			w.(io.ReaderFrom).ReadFrom(strings.NewReader(""))
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusTeapot)
		}, 0},
		{"Copied", h1Modes, func(w http.ResponseWriter, _ *http.Request) {
			w.(io.ReaderFrom).ReadFrom(strings.NewReader("hello"))
			w.WriteHeader(http.StatusTeapot)
		}, 1},
		{"WrittenNothing", allModes, func(w http.ResponseWriter, _ *http.Request) {
			w.Write(nil)
			w.WriteHeader(http.StatusTeapot)
		}, 1},
		{"WrittenString", allModes, func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "")
			w.WriteHeader(http.StatusTeapot)
			w.WriteHeader(http.StatusTeapot)
		}, 2},
		{"Flushed", allModes, func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			w.WriteHeader(http.StatusTeapot)
		}, 1},
		{"HTTPError", allModes, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTeapot)
			http.Error(w, "late", http.StatusInternalServerError) // skipped: it is part of net/http
		}, 1},
		{"HijackedNothing", h1Modes, func(w http.ResponseWriter, _ *http.Request) {
			hijackAndClose(w)
			if n, err := w.Write(nil); n != 0 || err != http.ErrHijacked {
				panic(fmt.Sprint(n, err))
			}
			if n, err := io.WriteString(w, ""); n != 0 || err != http.ErrHijacked {
				panic(fmt.Sprint(n, err))
			}
		}, 0},
		{"Hijacked", h1Modes, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTeapot)
			hijackAndClose(w)
			w.WriteHeader(http.StatusTeapot)
			w.Write([]byte("late"))
			io.WriteString(w, "late")
		}, 3},
		{"SwitchedProtocols", h1Modes, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusSwitchingProtocols)
			w.WriteHeader(http.StatusTeapot)
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			sockets(t, c.modes, func(t *testing.T, m mode) {
				logged := func(s *server) string {
					done := make(chan struct{})
					handler := s.http.Handler
					s.http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						defer close(done)
						handler.ServeHTTP(w, r)
					})
					s.goGet(s.client(), "/")
					receive(t, "the handler", done)
					return s.errors.String()
				}
				bare := logged(startBare(t, m, c.call))
				got := logged(start(t, m, c.call, idleGrace(5*time.Millisecond)))
				if got != bare {
					t.Errorf("logged\n%swant what net/http does:\n%s", got, bare)
				}
				if !m.h2 && strings.Count(got, "\n") != c.want {
					t.Errorf("logged %q, want %d lines", got, c.want)
				}
			})
		})
	}
}
