package fxshutdown_test

import (
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// A deadline that lies further ahead than a time.Duration reaches is as good as none, as
// it is on a net.TCPConn, and not one in the past.
func TestFarDeadlines(t *testing.T) {
	for name, far := range map[string]time.Time{
		"Year9999":    time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC),
		"300Years":    time.Now().AddDate(300, 0, 0), // which has no monotonic reading
		"292Years":    time.Now().Round(0).Add(math.MaxInt64),
		"Monotonic":   time.Now().Add(math.MaxInt64),
		"LastOfInt64": time.Unix(math.MaxInt64>>2, 0),
	} {
		t.Run(name, func(t *testing.T) {
			together(t, allModes, func(t *testing.T, m mode) {
				s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
					rc := http.NewResponseController(w)
					if err := rc.SetReadDeadline(far); err != nil {
						t.Errorf("SetReadDeadline() = %v", err)
					}
					if err := rc.SetWriteDeadline(far); err != nil {
						t.Errorf("SetWriteDeadline() = %v", err)
					}
					body, err := io.ReadAll(r.Body)
					if err != nil {
						t.Errorf("the body = %q, %v", body, err)
					}
					io.WriteString(w, strings.ToUpper(string(body)))
				})
				body, write := io.Pipe()
				go func() {
					time.Sleep(20 * ms) // the handler is reading by then
					io.WriteString(write, "late")
					write.Close()
				}()
				s.do(s.client(), http.MethodPost, "/", body).want(t, "LATE")
				s.mustStop()
			})
			t.Run("Hijacked", func(t *testing.T) {
				sockets(t, h1Modes, func(t *testing.T, m mode) {
					s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
						c, _, err := http.NewResponseController(w).Hijack()
						if err != nil {
							t.Errorf("Hijack() = %v", err)
							return
						}
						defer c.Close()
						if err := c.SetDeadline(far); err != nil {
							t.Errorf("SetDeadline() = %v", err)
						}
						echo(t, c)
					})
					c := s.raw()
					c.get("/")
					time.Sleep(20 * ms)
					c.send("late")
					if got, err := io.ReadAll(c); string(got) != "late" {
						t.Errorf("the client read %q, %v, want its late echo", got, err)
					}
					s.mustStop()
				})
			})
		})
	}
}

// Nor are timeouts of the http.Server that are as long as can be: their deadlines have no
// monotonic reading, since that would not fit.
func TestFarTimeouts(t *testing.T) {
	sockets(t, allModes, func(t *testing.T, m mode) {
		const far = math.MaxInt64
		s := start(t, m, hello, func(srv *http.Server, _ *fxshutdown.Config) {
			srv.ReadTimeout, srv.ReadHeaderTimeout, srv.WriteTimeout, srv.IdleTimeout = far, far, far, far
		})
		c := s.client()
		for range 3 {
			s.get(c, "/").want(t, "hello")
			time.Sleep(20 * ms)
		}
		s.mustStop()
		s.wantReport(account{})
	})
}

// echo sends back the first four bytes.
func echo(t *testing.T, c net.Conn) {
	var b [4]byte
	if _, err := io.ReadFull(c, b[:]); err != nil {
		t.Errorf("Read() = %v", err)
	}
	c.Write(b[:])
}
