package fxshutdown_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// sameAsBare runs a scenario against a bare http.Server and against a Server
// with the same settings, and compares what it returns.
func sameAsBare(t *testing.T, m mode, handler http.HandlerFunc, scenario func(*server) any, settings ...setting) {
	t.Helper()
	want := scenario(startBare(t, m, handler, settings...))
	got := scenario(start(t, m, handler, settings...))
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n\t%v\na bare http.Server gives\n\t%v", got, want)
	}
}

// TestWireIsThatOfBare compares every byte of HTTP/1 responses.
func TestWireIsThatOfBare(t *testing.T) {
	const end = "GET /end HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
	get := func(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n" }
	for name, text := range map[string]string{
		"Get":              get("/") + end,
		"Pipelined":        get("/1") + get("/big") + get("/3") + end,
		"Head":             "HEAD /big HTTP/1.1\r\nHost: h\r\n\r\nHEAD /length HTTP/1.1\r\nHost: h\r\n\r\n" + end,
		"Post":             "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" + end,
		"Chunked":          "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n5\r\nhello\r\n0\r\nX-T: v\r\n\r\n" + end,
		"BadChunk":         "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"Continue":         "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello" + end,
		"ContinueIgnored":  "POST /ignore-body HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 5\r\n\r\n",
		"ExpectOther":      "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: the-worst\r\nContent-Length: 5\r\n\r\nhello",
		"IgnoredBody":      "POST /ignore-body HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" + end,
		"IgnoredBigBody":   "POST /ignore-body HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n" + strings.Repeat("x", 1000),
		"HTTP10":           "GET / HTTP/1.0\r\n\r\n",
		"HTTP10KeepAlive":  "GET /length HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + end,
		"HTTP10NoLength":   "GET /flush HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		"OptionsStar":      "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n" + end,
		"OptionsStarBody":  "OPTIONS * HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" + end,
		"Connect":          "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n" + end,
		"AbsoluteURI":      "GET http://other/conn HTTP/1.1\r\nHost: h\r\n\r\n" + end,
		"EmptyLine":        "\r\n" + get("/") + end,
		"NotHTTP":          "what is this\r\n\r\n",
		"NoHost":           "GET / HTTP/1.1\r\n\r\n",
		"UnknownCoding":    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n",
		"BadHeader":        "GET / HTTP/1.1\r\nHost: h\r\nbad header: x\r\n\r\n",
		"WrongVersion":     "GET / HTTP/3.7\r\nHost: h\r\n\r\n",
		"HeaderTooLarge":   "GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 9000) + "\r\n\r\n",
		"HTTP2Preface":     "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"Length":           get("/length") + end,
		"ShortBody":        get("/short"),
		"TooLongBody":      get("/too-long") + end,
		"Flush":            get("/flush") + end,
		"ReadFrom":         get("/read-from") + end,
		"NoContent":        get("/204") + end,
		"NotModified":      get("/304") + end,
		"HeaderTwice":      get("/twice") + end,
		"Hints":            get("/hints") + end,
		"Trailers":         get("/trailers") + end,
		"HandlerSaysClose": get("/close") + get("/never"),
		"UpgradeRequired":  get("/426") + end,
		"Switching":        "GET /101 HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n",
		"Hijack":           get("/hijack"),
		"Duplex":           "POST /duplex HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" + end,
		"Panic":            get("/panic"),
		"Abort":            get("/abort"),
		"Cancelled":        get("/cancelled") + end,
		"Conn":             get("/conn") + end,
	} {
		t.Run(name, func(t *testing.T) {
			sockets(t, h1Modes, func(t *testing.T, m mode) {
				sameAsBare(t, m, playground, func(s *server) any {
					s.calls.besides(strings.Count(text, "OPTIONS * "))
					if strings.Contains(text, " /short ") || strings.Contains(text, " /too-long ") {
						s.calls.short.Add(1)
					}
					return s.raw().wire(text)
				}, smallHeaders)
			})
		})
	}
}

// smallHeaders is a setting.
func smallHeaders(srv *http.Server, _ *fxshutdown.Config) { srv.MaxHeaderBytes = 1000 }

// TestStatesAreThoseOfBare compares the connections' types and the sequence of
// states that the hook is told.
func TestStatesAreThoseOfBare(t *testing.T) {
	const close = "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
	closed := func(s *server, n int) any {
		s.states.wait(s.t, http.StateClosed, n)
		return s.states.conns()
	}
	raws := map[string]string{
		"One":       close,
		"Two":       "GET / HTTP/1.1\r\nHost: h\r\n\r\n" + close,
		"Malformed": "what is this\r\n\r\n",
		"Panic":     "GET /panic HTTP/1.1\r\nHost: h\r\n\r\n",
		"Abort":     "GET /abort HTTP/1.1\r\nHost: h\r\n\r\n",
	}
	for name, text := range raws {
		t.Run(name, func(t *testing.T) {
			sockets(t, h1Modes, func(t *testing.T, m mode) {
				sameAsBare(t, m, playground, func(s *server) any {
					s.raw().wire(text)
					return closed(s, 1)
				}, smallHeaders)
			})
		})
	}
	// net/http gives the client of such a request half a second to read its answer.
	t.Run("TooLarge", func(t *testing.T) {
		bubbles(t, h1Modes, func(t *testing.T, m mode) {
			sameAsBare(t, m, playground, func(s *server) any {
				s.raw().wire("GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 9000) + "\r\n\r\n")
				return closed(s, 1)
			}, smallHeaders, onPipe)
		})
	})
	t.Run("Hijack", func(t *testing.T) {
		sockets(t, h1Modes, func(t *testing.T, m mode) {
			sameAsBare(t, m, playground, func(s *server) any {
				s.raw().wire("GET /hijack HTTP/1.1\r\nHost: h\r\n\r\n")
				s.states.wait(t, http.StateHijacked, 1)
				return s.states.conns()
			})
		})
	})
	t.Run("Silent", func(t *testing.T) {
		sockets(t, h1Modes, func(t *testing.T, m mode) {
			sameAsBare(t, m, playground, func(s *server) any { s.raw().Close(); return closed(s, 1) })
		})
	})
	t.Run("NoHandshake", func(t *testing.T) {
		sockets(t, tlsModes, func(t *testing.T, m mode) {
			sameAsBare(t, m, playground, func(s *server) any { s.socket().Close(); return closed(s, 1) })
		})
	})
	t.Run("PlainToTLS", func(t *testing.T) {
		sockets(t, tlsModes, func(t *testing.T, m mode) {
			sameAsBare(t, m, playground, func(s *server) any {
				got := newRawConn(t, s.socket()).wire(close)
				return []any{got, closed(s, 1)}
			})
		})
	})
	t.Run("Client", func(t *testing.T) {
		sockets(t, h2Modes, func(t *testing.T, m mode) {
			sameAsBare(t, m, playground, func(s *server) any {
				c := s.rawH2()
				for i := range 3 {
					stream := uint32(2*i + 1)
					c.get(stream, "/")
					c.until(func(f frame) bool { return f.stream == stream && f.ended() })
					s.states.wait(t, http.StateIdle, i+1)
				}
				c.Close()
				return closed(s, 1)
			})
		})
	})
}
