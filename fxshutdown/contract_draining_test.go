package fxshutdown_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// drainingScenarios are about the channel for handlers, and about responses whose
// header is written during a drain.
var drainingScenarios = []scenario{
	{"BareServer", sockets, allModes, func(t *testing.T, m mode) {
		s := startBare(t, m, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, fxshutdown.Draining(r.Context()) == nil)
		})
		s.get(s.client(), "/").want(t, "true")
	}},

	{"DerivedContext", sockets, allModes, func(t *testing.T, m mode) {
		entered := make(chan struct{})
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), derivedKey{}, "v"), time.Hour)
			defer cancel()
			draining := fxshutdown.Draining(ctx)
			pending(t, "Draining(ctx)", draining)
			close(entered)
			receive(t, "Draining(ctx)", draining)
			fmt.Fprint(w, ctx.Err())
		})
		got := s.goGet(s.client(), "/")
		receive(t, "the handler", entered)
		s.mustStop()
		receive(t, "the client", got).want(t, "<nil>")
		s.wantReport(account{answered: 1})
	}},

	// A request that begins during the drain finds the channel closed already.
	{"LateRequest", sockets, h1Modes, func(t *testing.T, m mode) {
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, isClosed(fxshutdown.Draining(r.Context())))
		}, idleGrace(patience))
		c := s.raw()
		done := s.stopIn(0)
		c.get("/")
		c.reply(http.MethodGet).want(t, "true")
		wantStopped(t, done)
	}},
}

// Draining is nil for a context that does not belong to a request of a Server.
func TestDrainingOfOthers(t *testing.T) {
	if got := fxshutdown.Draining(context.Background()); got != nil {
		t.Errorf("Draining(Background) = %v, want nil", got)
	}
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), http.ServerContextKey, &http.Server{}))
	defer cancel()
	if got := fxshutdown.Draining(ctx); got != nil {
		t.Errorf("Draining(another server's context) = %v, want nil", got)
	}
}

// TestDrainingResponses is about responses whose header is written during a drain: each
// says close, and is otherwise unchanged.
func TestDrainingResponses(t *testing.T) {
	get := func(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n" }
	for name, test := range map[string]struct {
		request string
		want    []string // must be in the response, in this order
		not     []string // must not
	}{
		"Get":             {get("/length"), []string{"HTTP/1.1 200 OK\r\n", "Connection: close\r\n", "\r\n\r\nhello"}, nil},
		"Pipelined":       {get("/length") + get("/never"), []string{"Connection: close\r\n", "hello"}, []string{"/never"}},
		"Head":            {"HEAD /length HTTP/1.1\r\nHost: h\r\n\r\n", []string{"Connection: close\r\n", "\r\n\r\n"}, []string{"hello"}},
		"Chunked":         {get("/flush"), []string{"Connection: close\r\n", "hel", "lo"}, nil},
		"Big":             {get("/big"), []string{"Connection: close\r\n", strings.Repeat("b", 1000)}, nil},
		"ReadFrom":        {get("/read-from"), []string{"Connection: close\r\n", "hello"}, nil},
		"Trailers":        {get("/trailers"), []string{"Connection: close\r\n", "hello", "X-Sum: 5\r\n"}, nil},
		"Hints":           {get("/hints"), []string{"103 Early Hints\r\n", "102 Processing\r\n", "200 OK\r\n", "Connection: close\r\n", "hello"}, nil},
		"NoContent":       {get("/204"), []string{"204 No Content\r\n", "Connection: close\r\n"}, nil},
		"NotModified":     {get("/304"), []string{"304 Not Modified\r\n", "Connection: close\r\n"}, nil},
		"Continue":        {"POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi", []string{"100 Continue\r\n", "200 OK\r\n", "Connection: close\r\n", `POST "hi"`}, nil},
		"ContinueIgnored": {"POST /ignore-body HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi", []string{"200 OK\r\n", "Connection: close\r\n", "hello"}, []string{"100 Continue"}},
		"HTTP10":          {"GET /length HTTP/1.0\r\n\r\n", []string{"HTTP/1.0 200 OK\r\n", "hello"}, []string{"keep-alive"}},
		"HTTP10KeepAlive": {"GET /length HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", []string{"HTTP/1.0 200 OK\r\n", "Connection: close\r\n", "hello"}, []string{"keep-alive"}},
		"OptionsStar":     {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", []string{"HTTP/1.1 200 OK\r\n", "Connection: close\r\n"}, nil},
		"Switching":       {"GET /101 HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n", []string{"101 Switching Protocols\r\n", "Connection: Upgrade\r\n", "bye"}, []string{"close"}},
		"Hijack":          {get("/hijack"), []string{"hijacked true"}, []string{"close"}},
		"HandlerSaysTwo":  {get("/close"), []string{"Connection: close\r\n", "hello"}, nil},
		"Default":         {get("/x"), []string{"Connection: close\r\n", "GET /x false"}, nil},
		"Abort":           {get("/abort"), []string{"Connection: close\r\n", "hel"}, []string{"\r\n0\r\n\r\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			sockets(t, h1Modes, func(t *testing.T, m mode) {
				s := start(t, m, playground, idleGrace(patience))
				c := s.raw()
				if m.tls {
					s.states.wait(t, http.StateNew, 1)
				}
				done := s.stopIn(0)
				s.calls.besides(strings.Count(test.request, "OPTIONS * "))
				got := c.wire(test.request)
				rest := got
				for _, want := range test.want {
					_, after, ok := strings.Cut(rest, want)
					if !ok {
						t.Errorf("response = %q, want %q in it, in this order", got, want)
					}
					rest = after
				}
				for _, not := range test.not {
					if strings.Contains(got, not) {
						t.Errorf("response = %q, want no %q", got, not)
					}
				}
				if strings.Count(got, "Connection: close") > 1 {
					t.Errorf("response = %q, want Connection: close once", got)
				}
				wantStopped(t, done)
			})
		})
	}

	// 426 needs "Upgrade" among the connection options (RFC 9110, 7.8), and close too.
	t.Run("UpgradeRequired", func(t *testing.T) {
		sockets(t, h1Modes, func(t *testing.T, m mode) {
			s := start(t, m, playground, idleGrace(patience))
			c := s.raw()
			done := s.stopIn(0)
			got := c.wire("GET /426 HTTP/1.1\r\nHost: h\r\n\r\n")
			if !strings.HasPrefix(got, "HTTP/1.1 426") || !strings.Contains(got, "Upgrade: chat\r\n") {
				t.Errorf("response = %q, want 426 with Upgrade: chat", got)
			}
			var options []string
			for line := range strings.Lines(got) {
				if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, "Connection") {
					options = append(options, strings.Split(strings.ToLower(strings.ReplaceAll(strings.TrimSpace(value), " ", "")), ",")...)
				}
			}
			if !slices.Contains(options, "upgrade") || !slices.Contains(options, "close") {
				t.Errorf("Connection: %q, want upgrade and close", options)
			}
			wantStopped(t, done)
		})
	})
}
