package fxshutdown

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"time"
)

// The http.Server that was given to New cannot serve. Its Shutdown is the only way to run
// what RegisterOnShutdown registered, but a server in shutdown drops requests that it has
// read (go.dev/issue/75591) and closes connections whose running response can no longer
// say close. If Shutdown were called late, streams would wait for a callback that does
// not come.
//
// So there are two:
//
//   - the given server is the control surface: settings, handler, callbacks;
//   - the serving server is private, has the same settings, and is never shut down.
//
// (Each HTTP/2 connection has one more, for itself; see http2State.)
//
// To make Shutdown and Close of the given server do what net/http documents, it
// serves one connection: the sentinel, with one request that ends when the drain
// has ended. So net/http itself makes Shutdown wait, until its context
// ends, and makes Close cut the connection, which tells us.

// claimed has every http.Server that is served, from Start to the end of the stop: two
// Servers that take over the same one would mix up its handlers.
var claimed sync.Map

func claim(srv *http.Server) error {
	if _, taken := claimed.LoadOrStore(srv, true); taken {
		return errors.New("fxshutdown: another Server already serves this http.Server")
	}
	return nil
}

func unclaim(srv *http.Server) { claimed.Delete(srv) }

// sentinel is both the listener and the only connection of the given server.
type sentinel struct {
	request        io.Reader
	serving        chan struct{} // closed when the request has reached its handler
	shutdownCalled chan struct{} // closed by Shutdown and Close of the given server
	cut            chan struct{} // closed when the connection is closed
	released       chan struct{} // closed by release, when the drain has ended
	ended          chan struct{} // closed when Serve has returned
	gone           chan struct{} // closed when the connection's goroutine has asked for srv's hook for the last time

	accepted bool // written by Accept, read when Serve has returned

	onShutdown, onCut              func()
	shutdownOnce, cutOnce, letOnce sync.Once
}

// park makes srv serve the sentinel. It returns when the request has
// arrived. onShutdown is called when srv.Shutdown or srv.Close is, onCut when it was
// Close; neither may block.
func park(srv *http.Server, onShutdown, onCut func()) (*sentinel, error) {
	s := &sentinel{
		request:        strings.NewReader("GET / HTTP/1.1\r\nHost: sentinel\r\n\r\n"),
		serving:        make(chan struct{}),
		shutdownCalled: make(chan struct{}),
		cut:            make(chan struct{}),
		released:       make(chan struct{}),
		ended:          make(chan struct{}),
		gone:           make(chan struct{}),
		onShutdown:     onShutdown,
		onCut:          onCut,
	}

	// The user's hooks and handler are not for this connection, and HTTP/2 is
	// not to be set up on this server.
	bare := http.Server{
		Handler:      s,
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		ConnState:    func(_ net.Conn, state http.ConnState) { s.onState(state) },
	}
	var saved http.Server
	fields := []string{"Handler", "BaseContext", "ConnContext", "ConnState", "Protocols", "TLSNextProto"}
	copyFields(&saved, srv, fields...)
	copyFields(srv, &bare, fields...)
	defer copyFields(srv, &saved, fields...)

	failed := make(chan error, 1)
	go func() {
		defer close(s.ended)
		failed <- srv.Serve(s)
	}()
	select {
	case <-s.serving:
		return s, nil
	case err := <-failed:
		s.release()
		if s.accepted {
			<-s.gone
		}
		if errors.Is(err, http.ErrServerClosed) {
			return nil, fmt.Errorf("%w: its http.Server was shut down: %w", ErrStopped, err)
		}
		return nil, fmt.Errorf("take over the http.Server: %w", err)
	}
}

// release lets the request end. It may be called more than once.
func (s *sentinel) release() { s.letOnce.Do(func() { close(s.released) }) }

// onState receives what the given server's hook is told about the connection.
func (s *sentinel) onState(state http.ConnState) {
	if state == http.StateClosed {
		close(s.gone)
	}
}

// ServeHTTP is the handler of the request.
func (s *sentinel) ServeHTTP(http.ResponseWriter, *http.Request) {
	close(s.serving)
	<-s.released
}

// Accept returns the sentinel, once.
func (s *sentinel) Accept() (net.Conn, error) {
	if !s.accepted {
		s.accepted = true
		return sentinelConn{s}, nil
	}
	<-s.shutdownCalled
	return nil, net.ErrClosed
}

// Close is called with a lock of net/http's held.
func (s *sentinel) Close() error {
	s.shutdownOnce.Do(func() {
		close(s.shutdownCalled)
		s.onShutdown()
	})
	return nil
}

func (s *sentinel) Addr() net.Addr { return sentinelAddr{} }

type sentinelConn struct{ s *sentinel }

func (c sentinelConn) Read(b []byte) (int, error) {
	if n, err := c.s.request.Read(b); err == nil {
		return n, nil
	}
	// net/http reads ahead while the handler runs, and waits for that read when
	// the handler has returned.
	select {
	case <-c.s.cut:
	case <-c.s.released:
	}
	return 0, io.EOF
}

// Close is called with a lock of net/http's held.
func (c sentinelConn) Close() error {
	c.s.cutOnce.Do(func() {
		close(c.s.cut)
		if !isClosed(c.s.released) {
			c.s.onCut()
		}
	})
	return nil
}

func (sentinelConn) Write(b []byte) (int, error)      { return len(b), nil }
func (sentinelConn) LocalAddr() net.Addr              { return sentinelAddr{} }
func (sentinelConn) RemoteAddr() net.Addr             { return sentinelAddr{} }
func (sentinelConn) SetDeadline(time.Time) error      { return nil }
func (sentinelConn) SetReadDeadline(time.Time) error  { return nil }
func (sentinelConn) SetWriteDeadline(time.Time) error { return nil }

type sentinelAddr struct{}

func (sentinelAddr) Network() string { return "fxshutdown" }
func (sentinelAddr) String() string  { return "sentinel" }

// errorLogOf returns the logger of the private servers. It logs through that of the given
// server, which may be replaced while it is served.
func errorLogOf(given *http.Server) *log.Logger {
	return log.New(lateErrorLog{given}, "", 0)
}

// lateErrorLog asks the given server for its logger at each line.
type lateErrorLog struct{ given *http.Server }

// callerDepth leads from Write past two functions of package log to the caller, for a
// logger with Lshortfile.
const callerDepth = 4

func (l lateErrorLog) Write(line []byte) (int, error) {
	return len(line), loggerOf(l.given).Output(callerDepth, string(line))
}

// loggerOf returns the logger that net/http would use now.
func loggerOf(srv *http.Server) *log.Logger {
	if srv.ErrorLog != nil {
		return srv.ErrorLog
	}
	return log.Default()
}

// copySettings copies every exported field, including those that a later Go may add.
func copySettings(dst, src *http.Server) {
	d, s := reflect.ValueOf(dst).Elem(), reflect.ValueOf(src).Elem()
	for i := range d.NumField() {
		if f := d.Field(i); f.CanSet() {
			f.Set(s.Field(i))
		}
	}
}

func copyFields(dst, src *http.Server, names ...string) {
	d, s := reflect.ValueOf(dst).Elem(), reflect.ValueOf(src).Elem()
	for _, name := range names {
		d.FieldByName(name).Set(s.FieldByName(name))
	}
}
