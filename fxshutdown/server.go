package fxshutdown

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
)

// Server serves an http.Server and stops it. It goes through its states once:
//
//	new → starting → serving → stopping → stopped
//
// A Start that fails leaves it new. Stop and Close are allowed in every state; a new
// server is then stopped at once. All methods may be called at any time from any
// goroutine.
type Server struct {
	given  *http.Server // the user's; see control.go
	cfg    Config       // with defaults
	conns  *connSet
	events *dispatcher

	stopping chan struct{} // closed when the server becomes unready for good
	draining chan struct{} // closed when the drain begins
	done     chan struct{} // closed when serving is over

	// Set by Start before it starts a goroutine, and not changed again.
	serving  *http.Server
	sentinel *sentinel
	ln       *listener
	cancel   context.CancelCauseFunc // cancels the contexts of all requests
	served   chan struct{}           // closed when the serving server's Serve has returned

	mu        sync.Mutex // guards what follows; conns.mu is taken inside it
	state     state
	starting  chan struct{} // closed when the Start under way is over
	abort     context.CancelFunc
	addr      net.Addr
	err       error  // why serving ended
	unreadyAt moment // when stopping was closed
	stop      *stop
	keeper    *keeper // nil until a connection may retire while the server serves
}

type state int

const (
	stateNew state = iota
	stateStarting
	stateServing
	stateStopping
	stateStopped
)

// New returns a Server that will serve srv. It returns an error if srv is nil or cfg is
// not valid. Until [Server.Start], the Server changes nothing in srv and opens nothing.
//
// From Start on, srv is the control surface. Its Handler and DisableGeneralOptionsHandler
// are read at each request, its ErrorLog at each line. What was registered with
// RegisterOnShutdown runs when the drain begins, and its Shutdown and Close stop this
// Server. Start reads its other fields; it replaces ConnState with a hook that calls it,
// as httptest.Server does. Nothing else may serve srv, or change it while Start runs.
// Its SetKeepAlivesEnabled reaches no connection. A nil Handler means
// http.DefaultServeMux, as always in net/http.
func New(srv *http.Server, cfg Config) (*Server, error) {
	if srv == nil {
		return nil, errors.New("fxshutdown: the http.Server is nil")
	}
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("fxshutdown: %w", err)
	}
	s := &Server{
		given:    srv,
		cfg:      cfg.withDefaults(),
		conns:    newConnSet(srv),
		events:   newDispatcher(cfg.Logger),
		stopping: make(chan struct{}),
		draining: make(chan struct{}),
		done:     make(chan struct{}),
		served:   make(chan struct{}),
	}
	s.conns.noGrace = s.cfg.IdleGrace == 0
	s.conns.limits = limits{
		age:      s.cfg.MaxConnectionAge,
		requests: uint64(s.cfg.MaxRequestsPerConnection),
		grace:    s.cfg.MaxConnectionAgeGrace,
	}
	s.conns.maxOpen = s.cfg.MaxConnections
	return s, nil
}

func (s *Server) now() moment { return s.conns.now() }

// HTTPServer returns the http.Server that was given to New.
func (s *Server) HTTPServer() *http.Server { return s.given }

// Start binds the address and serves in the background until Stop or Close. It returns
// the error of the binding, and ctx bounds only the binding.
//
// A Start that fails leaves nothing behind and may be repeated; a Config.Listener then
// stays open. Start returns [ErrStarted] if the server was started before, and
// [ErrStopped] after Stop or Close. It also returns an error if another Server already
// serves the http.Server.
func (s *Server) Start(ctx context.Context) error {
	ctx, abort := context.WithCancel(ctx)
	defer abort()

	s.mu.Lock()
	switch s.state {
	case stateNew:
	case stateStopping, stateStopped:
		s.mu.Unlock()
		return ErrStopped
	default:
		s.mu.Unlock()
		return ErrStarted
	}
	s.state = stateStarting
	ended := make(chan struct{})
	s.starting, s.abort = ended, abort
	s.mu.Unlock()
	defer close(ended)

	err := s.open(ctx)
	var addr net.Addr
	if err == nil {
		addr = s.ln.Addr()
	}

	s.mu.Lock()
	late := s.state == stateStopped
	switch {
	case late:
	case err == nil && s.stop != nil:
		s.state = stateStopping // a stop began meanwhile, and waits for us
	case err == nil:
		s.state = stateServing
	case s.stop == nil:
		s.state = stateNew
	}
	if err == nil && !late {
		s.addr = addr
		s.events.emit(&Started{Addr: s.addr, TLS: s.cfg.TLS})
		go s.serve()
	}
	stopped := s.stop != nil
	s.mu.Unlock()
	if err == nil && s.conns.limits.needed() {
		s.keep()
	}

	switch {
	case err == nil && late:
		// The stop could not wait for us any longer.
		s.discard()
		return ErrStopped
	case err != nil && stopped:
		return errors.Join(ErrStopped, err)
	}
	s.events.flush(maxFlush)
	return err
}

// discard releases what open has acquired.
func (s *Server) discard() {
	if s.ln.openedHere {
		s.ln.Close()
	}
	s.cancel(ErrStopped)
	s.sentinel.release()
	s.given.Close()
	<-s.sentinel.ended
	<-s.sentinel.gone
	unclaim(s.given)
}

// open acquires everything that serving needs, or nothing.
func (s *Server) open(ctx context.Context) error {
	if err := claim(s.given); err != nil {
		return err
	}
	opened := false
	defer func() {
		if !opened { // or a user's hook has panicked
			unclaim(s.given)
		}
	}()
	if err := s.checkTLS(); err != nil {
		return err
	}
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("not started: %w", err)
	}
	raw, openedHere := s.cfg.Listener, false
	if raw == nil {
		var err error
		if raw, err = listen(ctx, s.cfg, s.given.Addr); err != nil {
			return err
		}
		openedHere = true
	}
	undo := func(err error) error {
		if openedHere {
			raw.Close()
		}
		return err
	}

	base := context.Background()
	if f := s.given.BaseContext; f != nil {
		if base = f(raw); base == nil {
			return undo(errors.New("the http.Server's BaseContext returned nil"))
		}
	}
	settings := http2Settings(s.given)
	http2, err := newHTTP2Server(settings, s.cfg.TLS, closedListener{})
	if err != nil {
		return undo(fmt.Errorf("set up the http.Server: %w", err))
	}
	h := &hooks{set: s.conns, connState: s.given.ConnState, connContext: s.given.ConnContext}
	s.conns.hooked, s.conns.useTLS = h.connState != nil || h.connContext != nil, s.cfg.TLS

	// The last step that can fail.
	s.sentinel, err = park(s.given,
		func() { s.begin(context.Background(), TriggerHTTPServer) },
		func() { s.begin(context.Background(), TriggerHTTPServer).force(ErrForced) })
	if err != nil {
		return undo(err)
	}
	s.given.ConnState = h.onState
	s.ln = newListener(raw, s.conns, s.events, openedHere)

	base, s.cancel = context.WithCancelCause(base)
	srv := new(http.Server)
	copySettings(srv, s.given)
	srv.Handler = &requestServer{given: s.given}
	srv.ErrorLog = settings.ErrorLog
	srv.DisableGeneralOptionsHandler = true // see generalOptions
	srv.ConnContext = h.onContext
	srv.BaseContext = func(net.Listener) context.Context { return base }
	srv.TLSConfig = http2.TLSConfig
	srv.TLSNextProto = h.nextProtos(http2.TLSNextProto, settings)
	s.serving = srv
	opened = true
	return nil
}

// checkTLS finds TLS settings that contradict each other.
func (s *Server) checkTLS() error {
	c := s.given.TLSConfig
	hasCert := c != nil && (len(c.Certificates) > 0 || c.GetCertificate != nil || c.GetConfigForClient != nil)
	switch {
	case s.cfg.TLS && !hasCert:
		return errors.New("Config.TLS is set, but the http.Server's TLSConfig has no certificate")
	case !s.cfg.TLS && hasCert && s.cfg.Listener == nil:
		return errors.New("the http.Server's TLSConfig has a certificate, but Config.TLS is not set: the server would serve plain text")
	}
	return nil
}

// serve is the goroutine that accepts. It ends when the listener does.
func (s *Server) serve() {
	defer close(s.served)
	var err error
	if s.cfg.TLS {
		err = s.serving.ServeTLS(s.ln, "", "")
	} else {
		err = s.serving.Serve(s.ln)
	}
	s.mu.Lock()
	failed := s.stop == nil
	if failed {
		s.err = fmt.Errorf("accept on %s: %w", s.addr, err)
		err = s.err
		close(s.done)
	}
	s.mu.Unlock()
	if failed {
		s.events.emit(&ServeFailed{Err: err})
	}
}

// Stop stops the server gracefully. It returns when the last connection and the last
// handler are gone, or when its time is over; see the package comment for the phases and
// the budget. Its time is that of ctx less StopReserve. If ctx has no deadline, Stop
// waits for DrainTimeout, or without one for as long as it takes; if ctx is already done,
// it forces at once.
//
// Stop returns an *[AbortedError] if it had to abort requests, and nil otherwise. Further
// calls join the first and return the same; each of their contexts counts, and can only
// make the stop end earlier. Stop before Start returns nil, and the server can no longer
// be started; a Config.Listener then remains the caller's. A Stop that is called by a
// handler or by a hook waits for that handler or hook too.
func (s *Server) Stop(ctx context.Context) error {
	st := s.begin(ctx, TriggerStop)
	select {
	case <-st.ended:
	case <-ctx.Done():
		st.force(forceReason(ctx))
		<-st.ended
	}
	return st.err
}

// Close stops the server by force: it cancels the requests' contexts, cuts all
// connections, including hijacked ones, and returns what Stop would. Close during
// Stop ends that Stop.
func (s *Server) Close() error {
	st := s.begin(context.Background(), TriggerClose)
	st.force(ErrForced)
	<-st.ended
	return st.err
}

// forceReason returns why the end of ctx forces the stop.
func forceReason(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ErrBudget
	}
	return errCanceled
}
