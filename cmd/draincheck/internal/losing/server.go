package losing

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// slowly waits as long as an answer to /slow takes: until the signal, so that it is
// certain to be under way then, and a bit longer. A client that comes too late for that
// gets its answer then, too.
func (s *server) slowly() {
	<-s.draining
	time.Sleep(100 * time.Millisecond)
}

type server struct {
	spec     Spec
	tls      *tls.Config
	listener listener
	draining chan struct{} // closed when the signal came
	emptying chan struct{} // closed when nothing more can get into the listener's queue
	conns    sync.WaitGroup

	mu    sync.Mutex // guards what follows
	stats Stats
	left  int // still to lose
	cuts  int // still to cut

	spent chan struct{} // closed when nothing is left to lose

	second  time.Time // that rate counts the answers of
	answers int
}

func serve(spec Spec) error {
	s := &server{spec: spec, draining: make(chan struct{}), emptying: make(chan struct{}), left: spec.N, cuts: spec.Cuts, spent: make(chan struct{})}
	if spec.N == 0 {
		close(s.spent)
	}
	if spec.Cert != "" {
		cert, err := tls.LoadX509KeyPair(spec.Cert, spec.Key)
		if err != nil {
			return err
		}
		s.tls = &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}}
		if spec.OnlyHTTP2 {
			s.tls.NextProtos = []string{"h2"}
		}
		if spec.ClientCA != "" {
			pem, err := os.ReadFile(spec.ClientCA)
			if err != nil {
				return err
			}
			s.tls.ClientCAs, s.tls.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
			s.tls.ClientCAs.AppendCertsFromPEM(pem)
		}
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	upgrades := make(chan os.Signal, 1)
	switch {
	case spec.Handover:
		signal.Notify(upgrades, upgradeSignals...)
	case len(upgradeSignals) > 0:
		// They end a server that does not know them, unless whoever started the tests
		// ignores them, as nohup does.
		unknown := make(chan os.Signal, 1)
		signal.Notify(unknown, upgradeSignals...)
		go func() {
			<-unknown
			os.Exit(1)
		}()
	}
	// Go listens with Multipath TCP where it can, and such sockets take no filter.
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	network, addr := "tcp", spec.Addr
	if spec.Unix != "" {
		network, addr = "unix", spec.Unix
	}
	l, err := inherited()
	if l == nil && err == nil {
		l, err = lc.Listen(context.Background(), network, addr)
	}
	if err != nil {
		return err
	}
	fmt.Println("listening on", l.Addr())
	s.listener = l.(listener)
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		s.accept()
	}()
	if spec.ExitAfter > 0 {
		time.AfterFunc(spec.ExitAfter, func() {
			fmt.Println("exiting by itself")
			os.Exit(3)
		})
	}

	select {
	case <-signals:
	case <-upgrades:
		return s.handOver(accepted)
	}
	for spec.IgnoreSignal {
		<-signals
	}
	close(s.draining)
	if spec.After && spec.Victim == NewConn && spec.Way != Queued {
		// New connections are to be lost, so they must still be possible.
		select {
		case <-s.spent:
		case <-time.After(10 * time.Second):
		}
	}
	if spec.Way == Queued {
		s.closeQueued(accepted)
	} else {
		s.stopAccepting()
		<-accepted
		s.listener.Close()
	}
	s.conns.Wait()

	b, err := json.Marshal(s.stats)
	if err != nil {
		return err
	}
	if spec.Stats == "" {
		return nil
	}
	return os.WriteFile(spec.Stats, b, 0o644)
}

// stopAccepting turns new connections away before they are made, and only then lets
// accept end. Closing a listener resets what is in its queue, which would be a loss that
// the Spec did not ask for.
func (s *server) stopAccepting() {
	if l, ok := s.listener.(*net.TCPListener); ok {
		turnAway(l)
	}
	// Handshakes under way end in the queue. On loopback that takes microseconds.
	time.Sleep(30 * time.Millisecond)
	close(s.emptying)
	s.listener.SetDeadline(time.Now().Add(30 * time.Millisecond))
}

func (s *server) accept() {
	for {
		select {
		case <-s.emptying:
			// As long as something comes out of the queue there may be more. At a Unix
			// socket no client is turned away, so there always is.
			if s.spec.Unix == "" {
				s.listener.SetDeadline(time.Now().Add(30 * time.Millisecond))
			}
		default:
		}
		c, err := s.listener.Accept()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return
		case err != nil:
			continue
		}
		if s.spec.Single {
			s.handle(c.(socket))
			continue
		}
		s.conns.Go(func() { s.handle(c.(socket)) })
	}
}

// Both TCP and unix sockets are these.
type (
	listener interface {
		net.Listener
		SetDeadline(time.Time) error
	}
	socket interface {
		net.Conn
		CloseWrite() error
		SyscallConn() (syscall.RawConn, error)
	}
)

func (s *server) isDraining() bool {
	select {
	case <-s.draining:
		return true
	default:
		return false
	}
}

// A conn is a connection with what it takes to end it in any way.
type conn struct {
	net.Conn
	tcp  socket
	br   *bufio.Reader
	busy atomic.Bool // it has asked for something, so it is not closed for being quiet
}

// reset ends the connection with a reset. Nothing is left to be sent after it.
func (c *conn) reset() {
	c.tcp.(*net.TCPConn).SetLinger(0)
	c.tcp.Close()
}

// finish ends the connection so that all that was written arrives: close for writing,
// then wait for the client.
func (c *conn) finish() {
	if t, ok := c.Conn.(*tls.Conn); ok {
		t.CloseWrite()
	}
	c.tcp.CloseWrite()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	var b [512]byte
	for {
		if _, err := c.br.Read(b[:]); err != nil {
			break
		}
	}
	c.tcp.Close()
}

func (s *server) handle(tcp socket) {
	c := &conn{Conn: tcp, tcp: tcp}
	defer tcp.Close()
	gone := make(chan struct{})
	defer close(gone)
	s.conns.Go(func() {
		select {
		case <-s.draining:
		case <-gone:
			return
		}
		quiet := time.NewTimer(s.spec.Quiet)
		defer quiet.Stop()
		select {
		case <-quiet.C:
			if !c.busy.Load() {
				tcp.Close()
			}
		case <-gone:
		}
	})
	if s.tls != nil {
		t := tls.Server(tcp, s.tls)
		if t.Handshake() != nil {
			return
		}
		c.Conn = t
		if t.ConnectionState().NegotiatedProtocol == "h2" {
			c.br = bufio.NewReader(t)
			s.serveH2(c)
			return
		}
	}
	c.br = bufio.NewReader(c.Conn)
	if start, _ := c.br.Peek(3); s.tls == nil && string(start) == "PRI" {
		s.serveH2(c)
		return
	}
	if s.spec.OnlyHTTP2 {
		return
	}
	s.serveH1(c)
}

// lose says whether the request that was just read is one to lose.
func (s *server) lose(eligible bool) bool {
	after := s.isDraining()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !eligible || s.left == 0 || after != s.spec.After {
		return false
	}
	if s.left--; s.left == 0 {
		close(s.spent)
	}
	return true
}

// cut says whether to end a stream or WebSocket without a goodbye.
func (s *server) cut(way Way) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if way == "" || s.cuts == 0 {
		s.stats.Polite++
		return false
	}
	s.cuts--
	s.stats.Cut++
	return true
}

func (s *server) count(f func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.stats)
}
