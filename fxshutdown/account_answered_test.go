package fxshutdown_test

import (
	"io"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// lingerMost is how long net/http reads on behind a response that came before the end
// of its upload (rstAvoidanceDelay).
const lingerMost = 500 * time.Millisecond

// uploadBudget is much longer than any linger.
const uploadBudget = 3 * time.Second

// An earlyAnswer is a handler that answers an upload before the upload has ended. Bare
// net/http reads up to 256 KB of the rest before it writes the response, unless the
// handler or the client has said that the connection will close. So a client that stalls
// has the response before the stop only if the handler is eager, that is, if it has
// flushed, or writes while it reads.
type earlyAnswer struct {
	name    string
	eager   bool
	handler func(*testing.T) http.HandlerFunc
}

var earlyAnswers = []earlyAnswer{
	{"413", false, func(*testing.T) http.HandlerFunc { return tooLarge }},
	{"MaxBytesReader", false, func(*testing.T) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4)); err != nil {
				tooLarge(w, r)
			}
		}
	}},
	{"DeadlineLifted", false, func(*testing.T) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).SetReadDeadline(time.Time{})
			tooLarge(w, r)
		}
	}},
	{"DeadlineLiftedAfterRead", false, func(*testing.T) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			rc.SetReadDeadline(time.Now().Add(time.Hour))
			io.ReadFull(r.Body, make([]byte, 4))
			rc.SetReadDeadline(time.Time{})
			tooLarge(w, r)
		}
	}},
	{"DeadlineFarOff", false, func(*testing.T) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Hour))
			tooLarge(w, r)
		}
	}},
	{"FullDuplex", true, func(*testing.T) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).EnableFullDuplex()
			io.ReadFull(r.Body, make([]byte, 4))
			tooLarge(w, r)
		}
	}},
	{"FullDuplexDeadlineLifted", true, func(*testing.T) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			rc.EnableFullDuplex()
			rc.SetReadDeadline(time.Time{})
			io.ReadFull(r.Body, make([]byte, 4))
			tooLarge(w, r)
		}
	}},
}

// readOn answers while a goroutine reads the body, which it does until the client or the
// connection ends. A bubble cannot wait for it: the body's lock is held meanwhile.
var readOn = earlyAnswer{"ReadByGoroutine", true, func(t *testing.T) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		tooLarge(w, r)
		http.NewResponseController(w).Flush()
		done := make(chan struct{})
		t.Cleanup(func() { receive(t, "the reading goroutine", done) })
		go func() { defer close(done); io.Copy(io.Discard, r.Body) }()
	}
}}

// throughProxy answers as httputil.ReverseProxy does when its backend answers early.
func throughProxy(t *testing.T) http.HandlerFunc {
	// This goes on reading the body when the backend has answered, as http.Transport
	// does.
	return (&httputil.ReverseProxy{
		Rewrite:  func(*httputil.ProxyRequest) {},
		ErrorLog: quiet(),
		Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			done := make(chan struct{})
			t.Cleanup(func() { receive(t, "the reading goroutine", done) })
			go func() { defer close(done); io.Copy(io.Discard, r.Body) }()
			return &http.Response{
				StatusCode:    http.StatusRequestEntityTooLarge,
				ContentLength: 3,
				Body:          io.NopCloser(strings.NewReader("413")),
			}, nil
		}),
	}).ServeHTTP
}

func tooLarge(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "3")
	w.WriteHeader(http.StatusRequestEntityTooLarge)
	io.WriteString(w, "413")
}

// An upload is a request whose body is not sent to its end.
type upload struct {
	name   string
	header string
}

var uploads = []upload{
	{"Length", "Content-Length: 1000"}, // so short that net/http wants to read all of it
	{"LengthLarge", "Content-Length: 1000000"},
	{"Chunked", "Transfer-Encoding: chunked"},
}

// start sends the header and the first bytes of the body.
func (u upload) start(c *rawConn) {
	body := "12345678"
	if u.name == "Chunked" {
		body = "8\r\n12345678\r\n"
	}
	c.send("POST /upload HTTP/1.1\r\nHost: localhost\r\n" + u.header + "\r\n\r\n" + body)
}

// A response is over when it is written and its handler has returned, even if the client
// goes on with its upload, or stalls in it.
func TestAnsweredIsAnswered(t *testing.T) {
	for _, early := range earlyAnswers {
		for _, u := range uploads {
			t.Run(early.name+"/"+u.name, func(t *testing.T) {
				sockets(t, h1Modes, func(t *testing.T, m mode) {
					if early.eager {
						inBubble(t, "BeforeStop", func(t *testing.T) { answeredBefore(t, m, early, u, onPipe) })
					}
					inBubble(t, "DuringStop", func(t *testing.T) { answeredDuring(t, m, early, u, onPipe) })
				})
			})
		}
	}
}

// inBubble runs a subtest in a bubble, where waiting for the budget costs nothing.
func inBubble(t *testing.T, name string, scenario func(*testing.T)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			awaitLinger(t)
			scenario(t)
		})
	})
}

// awaitLinger is called by a bubble, before it starts a server whose stop may end while
// net/http lingers: the bubble waits for net/http's goroutine, which sleeps then,
// whatever becomes of its connection.
func awaitLinger(t *testing.T) { t.Cleanup(func() { time.Sleep(lingerMost) }) }

// answeredBefore stops a server whose client has the response already.
func answeredBefore(t *testing.T, m mode, early earlyAnswer, u upload, settings ...setting) {
	s := start(t, m, early.handler(t), append(settings, idleGrace(5*time.Millisecond))...)
	c := s.raw()
	u.start(c)
	wantEarly(t, c)
	wantQuickStop(t, s, s.stopIn(uploadBudget))
	if r := s.Report(); r.Answered != r.Requests || r.Requests > 1 {
		t.Errorf("Report() = %+v, want its request answered, if it counts at all", r)
	}
}

// answeredDuring stops a server whose handler answers in the drain.
func answeredDuring(t *testing.T, m mode, early earlyAnswer, u upload, settings ...setting) {
	h := early.handler(t)
	entered := make(chan struct{}, 1)
	s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-fxshutdown.Draining(r.Context())
		h(w, r)
	}, append(settings, idleGrace(5*time.Millisecond))...)
	c := s.raw()
	u.start(c)
	receive(t, "the handler", entered)
	done := s.stopIn(patience / 2)
	wantEarly(t, c)
	wantQuickStop(t, s, done)
	s.wantReport(account{answered: 1})
}

func wantEarly(t *testing.T, c *rawConn) {
	t.Helper()
	r := c.reply(http.MethodPost)
	if r.err != nil || r.resp.StatusCode != http.StatusRequestEntityTooLarge || r.body != "413" {
		t.Fatalf("response = %+v, want 413", r)
	}
}

// A goroutine of the handler that reads on does not hold the stop either.
func TestAnsweredBodyReadOn(t *testing.T) {
	t.Run("BeforeStop", func(t *testing.T) {
		together(t, h1Modes, func(t *testing.T, m mode) { answeredBefore(t, m, readOn, uploads[0]) })
	})
	t.Run("DuringStop", func(t *testing.T) {
		together(t, h1Modes, func(t *testing.T, m mode) { answeredDuring(t, m, readOn, uploads[0]) })
	})
}

// wantQuickStop checks that the stop waits no longer than for the linger.
func wantQuickStop(t *testing.T, s *server, done <-chan error) {
	t.Helper()
	wantStopped(t, done)
	r := s.Report()
	if r.Duration > 2*lingerMost+slack {
		t.Errorf("the stop took %v, want no more than the linger", r.Duration)
	}
	if len(r.AbortedRequests) != 0 || !r.Graceful() {
		t.Errorf("Report() = %+v, want a graceful stop with nothing aborted", r)
	}
}

// Over HTTP/2 the end of the handler ends the stream.
func TestAnsweredIsAnsweredHTTP2(t *testing.T) {
	for _, early := range earlyAnswers {
		t.Run(early.name, func(t *testing.T) {
			bubbles(t, h2Modes, func(t *testing.T, m mode) {
				s := start(t, m, early.handler(t), onPipe, idleGrace(5*time.Millisecond))
				c := s.rawH2()
				c.post(1, "/upload", "12345678")
				c.until(func(f frame) bool { return f.stream == 1 && f.ended() })
				go c.untilClosed()
				wantQuickStop(t, s, s.stopIn(uploadBudget))
			})
		})
	}
}

// post sends a POST request on stream, and the beginning of its body.
func (c *h2Conn) post(stream uint32, path, part string) {
	c.t.Helper()
	// HPACK: ":method: POST" and ":scheme" by index, ":path" and ":authority" literally.
	b := []byte{0x83, c.scheme, 0x04, byte(len(path))}
	b = append(b, path...)
	b = append(append(b, 0x01, 9), "localhost"...)
	err := c.write(frame{frameHeaders, flagEndHeaders, stream, b})
	if err == nil {
		err = c.write(frame{frameData, 0, stream, []byte(part)})
	}
	if err != nil {
		c.t.Fatalf("POST %s: %v", path, err)
	}
}

// A client that goes on sending gets its response, and does not hold the stop longer
// than one that stalls.
func TestAnsweredWhileUploading(t *testing.T) {
	for _, early := range earlyAnswers {
		t.Run(early.name, func(t *testing.T) {
			bubbles(t, h1Modes, func(t *testing.T, m mode) { answeredWhileUploading(t, m, early, onPipe) })
		})
	}
	// Not in a bubble, for the reason of readOn.
	t.Run("ThroughProxy", func(t *testing.T) {
		sockets(t, h1Modes, func(t *testing.T, m mode) {
			answeredWhileUploading(t, m, earlyAnswer{handler: throughProxy})
		})
	})
}

func answeredWhileUploading(t *testing.T, m mode, early earlyAnswer, settings ...setting) {
	s := start(t, m, early.handler(t), append(settings, idleGrace(5*time.Millisecond))...)
	c := s.raw()
	uploads[1].start(c)
	drip(t, 5*time.Millisecond, func() error {
		_, err := io.WriteString(c, strings.Repeat("x", 100))
		return err
	})
	wantEarly(t, c)
	c.discard()
	wantQuickStop(t, s, s.stopIn(uploadBudget))
}

// A response that its client has received is answered, even if the stop is forced while
// net/http still lingers behind it.
func TestAnsweredInTheLinger(t *testing.T) {
	bubbles(t, h1Modes, func(t *testing.T, m mode) {
		awaitLinger(t)
		entered := make(chan struct{}, 1)
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			entered <- struct{}{}
			<-fxshutdown.Draining(r.Context())
			tooLarge(w, r)
		}, onPipe, idleGrace(5*time.Millisecond))
		c := s.raw()
		uploads[1].start(c)
		receive(t, "the handler", entered)
		done := s.stopIn(uploadBudget)
		wantEarly(t, c)
		time.Sleep(lingerMost / 2)
		if err := s.Close(); err != nil {
			t.Errorf("Close() = %v, want nil", err)
		}
		receive(t, "Stop()", done)
		s.wantReport(account{answered: 1})
	})
}
