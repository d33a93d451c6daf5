package fxshutdown_test

import (
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// A response that says close does not also say keep-alive, however the handler spells it,
// and keeps the other options of its Connection header.
func TestCloseWithoutKeepAlive(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []string
		keeps  string
	}{
		{"Lower", []string{"keep-alive"}, ""},
		{"Canonical", []string{"Keep-Alive"}, ""},
		{"Upper", []string{"KEEP-ALIVE"}, ""},
		{"List", []string{"Upgrade, Keep-Alive"}, "upgrade"},
		{"ListFirst", []string{"Keep-Alive,Upgrade"}, "upgrade"},
		{"Twice", []string{"Keep-Alive", "upgrade", "keep-Alive"}, "upgrade"},
		{"Close", []string{"Close"}, ""},
		{"Odd", []string{" Keep-Alive , , x-hop"}, "x-hop"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sockets(t, h1Modes, func(t *testing.T, m mode) {
				entered := make(chan struct{}, 1)
				s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
					entered <- struct{}{}
					<-fxshutdown.Draining(r.Context())
					w.Header()["Connection"] = c.values
					io.WriteString(w, "hello")
				}, idleGrace(5*time.Millisecond))
				conn := s.raw()
				conn.get("/")
				receive(t, "the handler", entered)
				done := s.stopIn(0)
				header, err := textproto.NewReader(conn.br).ReadLine()
				if err != nil || !strings.Contains(header, "200") {
					t.Fatalf("response %q, %v", header, err)
				}
				fields, err := textproto.NewReader(conn.br).ReadMIMEHeader()
				if err != nil {
					t.Fatal(err)
				}
				tokens := map[string]int{}
				for _, v := range fields["Connection"] {
					for token := range strings.SplitSeq(v, ",") {
						tokens[strings.ToLower(strings.TrimSpace(token))]++
					}
				}
				if tokens["close"] != 1 || tokens["keep-alive"] != 0 || c.keeps != "" && tokens[c.keeps] != 1 {
					t.Errorf("Connection: %q, want close once, no keep-alive, and %q", fields["Connection"], c.keeps)
				}
				if err := receive(t, "Stop()", done); err != nil {
					t.Errorf("Stop() = %v", err)
				}
			})
		})
	}
}

// misuses are calls for which net/http logs the caller.
var misuses = []struct {
	name  string
	modes []mode
	call  func(http.ResponseWriter) (line int)
}{
	{"SuperfluousWriteHeader", h1Modes, func(w http.ResponseWriter) int {
		w.WriteHeader(http.StatusOK)
		w.WriteHeader(http.StatusTeapot)
		return lineAbove()
	}},
	{"SuperfluousAfterWrite", h1Modes, func(w http.ResponseWriter) int {
		io.WriteString(w, "hello")
		w.WriteHeader(http.StatusTeapot)
		return lineAbove()
	}},
	{"WriteHeaderHijacked", h1Modes, func(w http.ResponseWriter) int {
		hijackAndClose(w)
		w.WriteHeader(http.StatusTeapot)
		return lineAbove()
	}},
	{"WriteHijacked", h1Modes, func(w http.ResponseWriter) int {
		hijackAndClose(w)
		w.Write([]byte("late"))
		return lineAbove()
	}},
	{"WriteStringHijacked", h1Modes, func(w http.ResponseWriter) int {
		hijackAndClose(w)
		io.WriteString(w, "late")
		return 0 // io's, with net/http alone too
	}},
}

func hijackAndClose(w http.ResponseWriter) {
	if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
		c.Close()
	}
}

// lineAbove returns the number of the line above the one that calls it.
func lineAbove() int {
	_, _, line, _ := runtime.Caller(1)
	return line - 1
}

// What net/http logs about the misuse of a ResponseWriter names the line of the misuse.
func TestMisuseNamesItsLine(t *testing.T) {
	for _, c := range misuses {
		t.Run(c.name, func(t *testing.T) {
			sockets(t, c.modes, func(t *testing.T, m mode) {
				line := make(chan int, 1)
				s := start(t, m, func(w http.ResponseWriter, r *http.Request) { line <- c.call(w) }, idleGrace(5*time.Millisecond))
				s.goGet(s.client(), "/")
				n := receive(t, "the handler", line)
				s.mustStop()
				logged := s.errors.String()
				_, file, _, _ := runtime.Caller(0)
				want := fmt.Sprintf("%s:%d", filepath.Base(file), n)
				if n != 0 && !strings.Contains(logged, want) || strings.Contains(logged, "fxshutdown.(*") {
					t.Errorf("net/http logged %q, want it to name %s and not this library", logged, want)
				}
			})
		})
	}
}
