package fxshutdown_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// An ending is a handler that waits until its context is cancelled, and what it
// does then.
type ending struct {
	name    string
	handler func(entered func()) http.HandlerFunc
}

// await says that the handler has begun and waits for its context.
func await(r *http.Request, entered func()) {
	entered()
	<-r.Context().Done()
}

// cutEndings are the endings after which the client has no complete response.
var cutEndings = []ending{
	{"Abort", func(entered func()) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "part")
			http.NewResponseController(w).Flush()
			await(r, entered)
			panic(http.ErrAbortHandler)
		}
	}},
	{"AbortBeforeHeader", func(entered func()) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			await(r, entered)
			panic(http.ErrAbortHandler)
		}
	}},
	{"Panic", func(entered func()) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			await(r, entered)
			panic("after the cancellation")
		}
	}},
	{"Short", func(entered func()) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			io.WriteString(w, "part")
			await(r, entered)
		}
	}},
	{"ShortFlushed", func(entered func()) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			io.WriteString(w, "part")
			http.NewResponseController(w).Flush()
			await(r, entered)
		}
	}},
	{"DeclaredOnly", func(entered func()) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			w.WriteHeader(http.StatusOK)
			await(r, entered)
		}
	}},
	{"WriteFails", func(entered func()) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			await(r, entered)
			http.NewResponseController(w).SetWriteDeadline(time.Now().Add(-time.Second))
			for range 100 { // without a length, so that nothing else shows the loss
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}
	}},
	{"ServeContent", func(entered func()) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			content := &stalledContent{size: 1 << 20, has: 1 << 10, stall: func() { await(r, entered) }}
			http.ServeContent(w, r, "file.bin", time.Time{}, content)
		}
	}},
	{"ReverseProxy", func(entered func()) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			proxy := &httputil.ReverseProxy{
				Rewrite:       func(*httputil.ProxyRequest) {},
				ErrorLog:      quiet(),
				FlushInterval: -1,
				Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
					body := &stalledContent{size: 10, has: 4, stall: func() { await(r, entered) }}
					return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(body), ContentLength: -1}, nil
				}),
			}
			proxy.ServeHTTP(w, r)
		}
	}},
	{"AbortInTimeoutHandler", func(entered func()) http.HandlerFunc {
		// TimeoutHandler itself answers 503 when the context ends. What is around
		// it may still abort.
		inner := http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			await(r, entered)
		}), time.Hour, "")
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			inner.ServeHTTP(w, r)
			if r.ProtoMajor == 1 {
				panic(http.ErrAbortHandler)
			}
		}
	}},
}

// answeredEndings are the endings after which the client has everything that was
// announced to it.
var answeredEndings = []ending{
	{"503", func(entered func()) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			await(r, entered)
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}},
	{"TimeoutHandler", func(entered func()) http.HandlerFunc {
		return http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			await(r, entered)
		}), time.Hour, "").ServeHTTP
	}},
	{"ReverseProxyBeforeHeader", func(entered func()) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			proxy := &httputil.ReverseProxy{
				Rewrite:  func(*httputil.ProxyRequest) {},
				ErrorLog: quiet(),
				Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
					await(r, entered)
					return nil, context.Cause(r.Context())
				}),
			}
			proxy.ServeHTTP(w, r)
		}
	}},
	{"Complete", func(entered func()) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "8")
			io.WriteString(w, "part")
			http.NewResponseController(w).Flush()
			await(r, entered)
			io.WriteString(w, "rest")
		}
	}},
	{"NoLength", func(entered func()) http.HandlerFunc {
		// HTTP takes this for complete, whatever the handler had in mind.
		return func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "part")
			http.NewResponseController(w).Flush()
			await(r, entered)
		}
	}},
	{"NotModified", func(entered func()) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			await(r, entered)
			w.Header().Set("Etag", `"v1"`)
			w.WriteHeader(http.StatusNotModified)
		}
	}},
	{"NoContent", func(entered func()) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			await(r, entered)
			w.WriteHeader(http.StatusNoContent)
		}
	}},
}

// cancellers are the ways in which a stop cancels the contexts of requests.
var cancellers = []struct {
	name     string
	graceful bool // an answered request leaves the stop graceful
	set      func(*fxshutdown.Config)
	timeout  time.Duration
}{
	{"RequestGrace", true, func(c *fxshutdown.Config) { c.RequestGrace = 30 * time.Millisecond }, 0},
	{"Budget", false, func(c *fxshutdown.Config) { c.StopReserve = -1 }, 500 * time.Millisecond},
}

// A request that the stop cancelled, and whose client then got no complete response,
// was aborted by the stop, however its handler ended.
func TestCutIsCut(t *testing.T) {
	for _, by := range cancellers {
		for _, end := range cutEndings {
			t.Run(by.name+"/"+end.name, func(t *testing.T) {
				bubbles(t, allModes, func(t *testing.T, m mode) {
					entered := make(chan struct{}, 1)
					s := start(t, m, end.handler(func() { entered <- struct{}{} }), onPipe, idleGrace(5*time.Millisecond), config(by.set))
					got := s.goGet(s.client(), "/cut")
					receive(t, "the handler", entered)
					err := receive(t, "Stop()", s.stopIn(by.timeout))
					if r := receive(t, "the response", got); r.err == nil {
						t.Fatalf("response = %d %q, want it cut off", r.resp.StatusCode, r.body)
					}
					wantCut(t, s, err, "/cut")
				})
			})
		}
	}
}

// A request that is answered in full after it was cancelled is answered.
func TestCancelledIsAnswered(t *testing.T) {
	for _, by := range cancellers {
		for _, end := range answeredEndings {
			t.Run(by.name+"/"+end.name, func(t *testing.T) {
				bubbles(t, allModes, func(t *testing.T, m mode) {
					entered := make(chan struct{}, 1)
					s := start(t, m, end.handler(func() { entered <- struct{}{} }), onPipe, idleGrace(5*time.Millisecond), config(by.set))
					got := s.goGet(s.client(), "/answered")
					receive(t, "the handler", entered)
					if err := receive(t, "Stop()", s.stopIn(by.timeout)); err != nil {
						t.Errorf("Stop() = %v, want nil", err)
					}
					if r := receive(t, "the response", got); r.err != nil {
						t.Fatalf("response: %v, want a complete one", r.err)
					}
					r := s.wantReport(account{answered: 1, cancelled: 1})
					if r.Graceful() != by.graceful {
						t.Errorf("Report().Graceful() = %v, want %v", r.Graceful(), by.graceful)
					}
				})
			})
		}
	}
}

// A response to HEAD declares what it does not send.
func TestCancelledHeadIsAnswered(t *testing.T) {
	bubbles(t, allModes, func(t *testing.T, m mode) {
		entered := make(chan struct{}, 1)
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			await(r, func() { entered <- struct{}{} })
			w.Header().Set("Content-Length", "10")
		}, onPipe, idleGrace(5*time.Millisecond), config(func(c *fxshutdown.Config) { c.RequestGrace = 30 * time.Millisecond }))
		got := make(chan reply, 1)
		c := s.client()
		go func() { got <- s.do(c, http.MethodHead, "/", nil) }()
		receive(t, "the handler", entered)
		if err := receive(t, "Stop()", s.stopIn(0)); err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		if r := receive(t, "the response", got); r.err != nil {
			t.Errorf("response: %v, want a complete one", r.err)
		}
		s.wantReport(account{answered: 1, cancelled: 1})
	})
}

// A stream that was told to end, and is cut all the same, is not an error.
func TestCancelledStreamIsNoError(t *testing.T) {
	for _, by := range cancellers {
		t.Run(by.name, func(t *testing.T) {
			bubbles(t, allModes, func(t *testing.T, m mode) {
				entered := make(chan struct{}, 1)
				s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
					fxshutdown.Draining(r.Context())
					io.WriteString(w, "part")
					http.NewResponseController(w).Flush()
					await(r, func() { entered <- struct{}{} })
					panic(http.ErrAbortHandler)
				}, onPipe, idleGrace(5*time.Millisecond), config(by.set))
				got := s.goGet(s.client(), "/")
				receive(t, "the handler", entered)
				if err := receive(t, "Stop()", s.stopIn(by.timeout)); err != nil {
					t.Errorf("Stop() = %v, want nil", err)
				}
				if r := receive(t, "the response", got); r.err == nil {
					t.Errorf("response = %q, want it cut off", r.body)
				}
			})
		})
	}
}

// A handler that gives up without having been cancelled has failed on its own.
func TestShortResponseFails(t *testing.T) {
	bubbles(t, allModes, func(t *testing.T, m mode) {
		entered := make(chan struct{}, 1)
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			io.WriteString(w, "part")
			entered <- struct{}{}
			<-fxshutdown.Draining(r.Context())
		}, onPipe, idleGrace(5*time.Millisecond))
		got := s.goGet(s.client(), "/short")
		receive(t, "the handler", entered)
		s.calls.short.Add(1)
		s.mustStop()
		if r := receive(t, "the response", got); r.err == nil {
			t.Fatalf("response = %q, want it cut off", r.body)
		}
		s.wantReport(account{failed: 1})
	})
}

// wantCut checks that the stop, whose error is err, aborted the request for path
// and says so wherever it can be read.
func wantCut(t *testing.T, s *server, err error, path string) {
	t.Helper()
	r := s.Report()
	if len(r.AbortedRequests) != 1 || r.AbortedRequests[0].Path != path {
		t.Errorf("Report().AbortedRequests = %v, want the request for %s; all of it: %+v", r.AbortedRequests, path, r)
	}
	if r.Answered != 0 || r.Failed != 0 {
		t.Errorf("Report() has %d answered and %d failed, want none", r.Answered, r.Failed)
	}
	if r.Graceful() {
		t.Error("Report().Graceful() = true, want false")
	}
	var aborted *fxshutdown.AbortedError
	if !errors.As(err, &aborted) || len(aborted.Requests) != 1 || aborted.Requests[0].Path != path {
		t.Errorf("Stop() = %v, want an AbortedError of %s", err, path)
	} else if !strings.Contains(err.Error(), path) {
		t.Errorf("Stop() = %q, want it to name %s", err, path)
	}
	if st := s.Stats(); st.Aborted != 1 || st.Failed != 0 {
		t.Errorf("Stats() has %d aborted and %d failed, want 1 and 0", st.Aborted, st.Failed)
	}
}
