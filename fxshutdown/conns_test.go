package fxshutdown

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// retiree is a server some of whose connections retire, and a client that has one of
// these.
type retiree struct {
	s      *Server
	client *http.Client
}

func newRetiree(t *testing.T, http2 bool, h http.HandlerFunc) *retiree {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	s, err := New(&http.Server{Addr: "127.0.0.1:0", Handler: h, Protocols: protocols}, Config{IdleGrace: -1})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	r := &retiree{s: s}
	r.client = r.newClient(t)
	return r
}

func (r *retiree) newClient(t *testing.T) *http.Client {
	tr := &http.Transport{Protocols: r.s.given.Protocols}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 10 * time.Second}
}

// get returns what the handler wrote, and whether the response says close.
func (r *retiree) get(t *testing.T, c *http.Client) (body string, closes bool) {
	t.Helper()
	resp, err := c.Get("http://" + r.s.Addr().String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), resp.Close
}

// retire retires the connection whose client has the address.
func (r *retiree) retire(t *testing.T, remote string) {
	t.Helper()
	for _, c := range r.s.conns.snapshot(nil) {
		if c.Conn.RemoteAddr().String() == remote {
			c.retire()
			return
		}
	}
	t.Fatalf("no connection of %s", remote)
}

func remoteAddr(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RemoteAddr) }

// TestRetireSome retires one of two connections while the server serves.
func TestRetireSome(t *testing.T) {
	for name, http2 := range map[string]bool{"h1": false, "h2c": true} {
		t.Run(name, func(t *testing.T) {
			r := newRetiree(t, http2, remoteAddr)
			other := r.newClient(t)
			first, _ := r.get(t, r.client)
			stays, _ := r.get(t, other)
			watches := &tender{set: r.s.conns, record: func(cutResult, error) {}}
			r.s.conns.watcher.Store(&watcher{
				changed: func(c *conn) { go watches.look(c, c.set.now()) },
				emptied: func() {},
			})
			r.retire(t, first)

			deadline := time.Now().Add(10 * time.Second)
			if http2 {
				// The watcher sends GOAWAY when it is due; until the client has that, the
				// connection serves.
				for again := first; again == first; again, _ = r.get(t, r.client) {
					if time.Now().After(deadline) {
						t.Fatal("the retired connection is used on and on")
					}
				}
			} else {
				if again, closes := r.get(t, r.client); again != first || !closes {
					t.Errorf("the next response came on %s, says close = %v, want %s, true", again, closes, first)
				}
				if again, closes := r.get(t, r.client); again == first || closes {
					t.Errorf("the one after came on %s, says close = %v, want a new connection, false", again, closes)
				}
			}
			if again, closes := r.get(t, other); again != stays || closes {
				t.Errorf("the other client is on %s, told to close = %v, want %s, false", again, closes, stays)
			}
			if isClosed(r.s.Draining()) || isClosed(r.s.Unready()) {
				t.Error("the server counts as draining")
			}
		})
	}
}

// TestRetireTellsRequests checks that Draining of a request is closed when its connection
// retires, and that those of other requests and of the server are not.
func TestRetireTellsRequests(t *testing.T) {
	for name, http2 := range map[string]bool{"h1": false, "h2c": true} {
		t.Run(name, func(t *testing.T) {
			type asked struct {
				remote string
				told   <-chan struct{}
			}
			streams := make(chan asked, 2)
			r := newRetiree(t, http2, func(w http.ResponseWriter, r *http.Request) {
				a := asked{r.RemoteAddr, Draining(r.Context())}
				streams <- a
				<-a.told
			})
			ended := make(chan struct{}, 2)
			for range 2 {
				c := r.newClient(t)
				go func() {
					defer func() { ended <- struct{}{} }()
					if resp, err := c.Get("http://" + r.s.Addr().String() + "/"); err == nil {
						resp.Body.Close()
					}
				}()
			}
			first, second := <-streams, <-streams
			r.retire(t, first.remote)
			<-first.told
			<-ended
			if isClosed(second.told) || isClosed(r.s.Draining()) {
				t.Errorf("told: the other request %v, the server %v, want neither", isClosed(second.told), isClosed(r.s.Draining()))
			}
			if err := r.s.Stop(context.Background()); err != nil { // which tells the second
				t.Errorf("Stop() = %v", err)
			}
			<-ended
		})
	}
}

// A request that asks after its connection has retired is told at once, and so is one on
// a connection that is accepted when all retire.
func TestRetiredAlready(t *testing.T) {
	set := newConnSet(nil)
	set.retireAll()
	nc, _ := set.track(nil)
	x := &exchange{conn: nc.(*conn)}
	if !isClosed(x.draining()) {
		t.Error("a request on a connection that was born retired is not told")
	}
}

// A connection that is gone is no longer found, and no longer kept, whatever it was known
// by.
func TestSetForgets(t *testing.T) {
	client, raw := net.Pipe()
	defer client.Close()
	set := newConnSet(new(http.Server))
	tc := tls.Server(raw, new(tls.Config))
	if served, _ := set.track(tc); served != net.Conn(tc) {
		t.Fatalf("track() = %v, want the *tls.Conn", served)
	}
	c := set.connOf(tc)
	if c == nil {
		t.Fatal("a connection of the set is not found")
	}
	set.remove(c)
	if set.connOf(tc) != nil {
		t.Error("a connection that is gone is still found")
	}
}

// The private server of an HTTP/2 connection does not keep the TLS configuration that
// net/http makes for it, and which nobody uses.
func TestHTTP2ServerIsSmall(t *testing.T) {
	r := newRetiree(t, true, remoteAddr)
	r.get(t, r.client)
	for _, c := range r.s.conns.snapshot(nil) {
		if c.h2.server.TLSConfig != nil {
			t.Errorf("the server of an HTTP/2 connection keeps %+v", c.h2.server.TLSConfig)
		}
	}
}
