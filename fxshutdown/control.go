package fxshutdown

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"time"
)

// The http.Server that was given to New cannot serve. Its Shutdown is the only
// way to run what RegisterOnShutdown registered, and a server in shutdown drops
// requests that it has read (go.dev/issue/75591) and closes connections whose
// running response could not say so any more. Called late, Shutdown would let
// streams wait for a callback that does not come.
//
// So there are three:
//
//   - the given server is the control surface: settings, handler, callbacks;
//   - the serving server is private, has the same settings, and is never shut down;
//   - the goaway server owns the HTTP/2 connections' state: its Shutdown sends
//     them GOAWAY, as often as is needed, and does nothing else.
//
// To make Shutdown and Close of the given server do what net/http documents, it
// serves one connection: the parked one, with one request that ends when the
// drain has ended. So net/http itself makes Shutdown wait, until its context
// ends, and makes Close cut the connection, which tells us.

// claimed has every http.Server that is served, from Start to the end of the
// stop: two that take over the same one would mix up its handlers.
var claimed sync.Map

func claim(srv *http.Server) error {
	if _, taken := claimed.LoadOrStore(srv, true); taken {
		return errors.New("fxshutdown: another Server serves this http.Server already")
	}
	return nil
}

func unclaim(srv *http.Server) { claimed.Delete(srv) }

// parked is both the listener and the only connection of the given server.
type parked struct {
	request  io.Reader
	serving  chan struct{} // closed when the request has reached its handler
	told     chan struct{} // closed by Shutdown and Close of the given server
	cut      chan struct{} // closed when the connection is closed
	released chan struct{} // closed by release, when the drain has ended
	ended    chan struct{} // closed when Serve has returned
	gone     chan struct{} // closed when the connection's goroutine has asked for srv's hook for the last time

	accepted bool // written by Accept, read when Serve has returned

	onTold, onCut              func()
	toldOnce, cutOnce, letOnce sync.Once
}

// park makes srv serve the parked connection. It returns when the request has
// arrived. onTold is called when srv.Shutdown or srv.Close is, onCut when it was
// Close; neither may block.
func park(srv *http.Server, onTold, onCut func()) (*parked, error) {
	p := &parked{
		request:  strings.NewReader("GET / HTTP/1.1\r\nHost: parked\r\n\r\n"),
		serving:  make(chan struct{}),
		told:     make(chan struct{}),
		cut:      make(chan struct{}),
		released: make(chan struct{}),
		ended:    make(chan struct{}),
		gone:     make(chan struct{}),
		onTold:   onTold,
		onCut:    onCut,
	}

	// The user's hooks and handler are not for this connection, and HTTP/2 is
	// not to be set up on this server.
	bare := http.Server{
		Handler:      p,
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		ConnState:    func(_ net.Conn, state http.ConnState) { p.connState(state) },
	}
	var saved http.Server
	fields := []string{"Handler", "BaseContext", "ConnContext", "ConnState", "Protocols", "TLSNextProto"}
	copyFields(&saved, srv, fields...)
	copyFields(srv, &bare, fields...)
	defer copyFields(srv, &saved, fields...)

	failed := make(chan error, 1)
	go func() {
		defer close(p.ended)
		failed <- srv.Serve(p)
	}()
	select {
	case <-p.serving:
		return p, nil
	case err := <-failed:
		p.release()
		if p.accepted {
			<-p.gone
		}
		if errors.Is(err, http.ErrServerClosed) {
			return nil, fmt.Errorf("%w: its http.Server was shut down: %w", ErrStopped, err)
		}
		return nil, fmt.Errorf("take over the http.Server: %w", err)
	}
}

// release lets the parked request end. It may be called more than once.
func (p *parked) release() { p.letOnce.Do(func() { close(p.released) }) }

// connState is what the hook that the given server has is told of the connection.
func (p *parked) connState(state http.ConnState) {
	if state == http.StateClosed {
		close(p.gone)
	}
}

// ServeHTTP is the handler of the parked request.
func (p *parked) ServeHTTP(http.ResponseWriter, *http.Request) {
	close(p.serving)
	<-p.released
}

// Accept returns the parked connection, once.
func (p *parked) Accept() (net.Conn, error) {
	if !p.accepted {
		p.accepted = true
		return parkedConn{p}, nil
	}
	<-p.told
	return nil, net.ErrClosed
}

// Close is called with a lock of net/http's held.
func (p *parked) Close() error {
	p.toldOnce.Do(func() {
		close(p.told)
		p.onTold()
	})
	return nil
}

func (p *parked) Addr() net.Addr { return parkedAddr{} }

type parkedConn struct{ p *parked }

func (c parkedConn) Read(b []byte) (int, error) {
	if n, err := c.p.request.Read(b); err == nil {
		return n, nil
	}
	// net/http reads ahead while the handler runs, and waits for that read when
	// the handler has returned.
	select {
	case <-c.p.cut:
	case <-c.p.released:
	}
	return 0, io.EOF
}

// Close is called with a lock of net/http's held.
func (c parkedConn) Close() error {
	c.p.cutOnce.Do(func() {
		close(c.p.cut)
		select {
		case <-c.p.released:
		default:
			c.p.onCut()
		}
	})
	return nil
}

func (parkedConn) Write(b []byte) (int, error)      { return len(b), nil }
func (parkedConn) LocalAddr() net.Addr              { return parkedAddr{} }
func (parkedConn) RemoteAddr() net.Addr             { return parkedAddr{} }
func (parkedConn) SetDeadline(time.Time) error      { return nil }
func (parkedConn) SetReadDeadline(time.Time) error  { return nil }
func (parkedConn) SetWriteDeadline(time.Time) error { return nil }

type parkedAddr struct{}

func (parkedAddr) Network() string { return "fxshutdown" }
func (parkedAddr) String() string  { return "parked" }

// copySettings copies every exported field, those that a later Go may add included.
func copySettings(dst, src *http.Server) {
	t := reflect.TypeFor[http.Server]()
	var names []string
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() {
			names = append(names, f.Name)
		}
	}
	copyFields(dst, src, names...)
}

func copyFields(dst, src *http.Server, names ...string) {
	d, s := reflect.ValueOf(dst).Elem(), reflect.ValueOf(src).Elem()
	for _, name := range names {
		d.FieldByName(name).Set(s.FieldByName(name))
	}
}
