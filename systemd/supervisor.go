package fxhttpsystemd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/fxshutdown/fxhttp"
)

const (
	// exitTime is how long the process may take to end after Fx has stopped.
	exitTime = time.Second

	// statusInterval is how often STATUS= says what a stop is waiting for.
	statusInterval = time.Second

	// pingsInTime is how often WATCHDOG=1 is sent in the time of WatchdogSec=: a single one
	// that is late, or not sent, does not get the service killed.
	pingsInTime = 4
)

// supervisor tells the service manager of the app. Its goroutine runs from READY=1 until
// the end of the stop.
type supervisor struct {
	manager manager
	servers []fxhttp.NamedServer
	health  []Health
	log     func(msg string, keysAndValues ...any)

	stopping chan struct{} // closed when the app begins to stop
	quit     chan struct{} // closed when it has stopped
	ended    chan struct{} // closed by run; nil if it was not started

	unwell bool // as it was logged last; run's
}

// start says READY=1.
func (s *supervisor) start() error {
	for _, server := range s.servers {
		if server.Server.Addr() == nil {
			return fmt.Errorf("fxhttpsystemd: %s would start after READY=1: "+
				"list fxhttpsystemd.Module after every fxhttp.Module, and not in an fx.Module", describeServer(server))
		}
	}
	if s.manager.socket == "" {
		return nil
	}
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return fmt.Errorf("fxhttpsystemd: %w", err)
	}
	if err := s.manager.send("READY=1\nSTATUS=" + s.serves()); err != nil {
		return fmt.Errorf("fxhttpsystemd: READY=1: %w", err)
	}
	s.stopping, s.quit, s.ended = make(chan struct{}), make(chan struct{}), make(chan struct{})
	go s.run(watchdog / pingsInTime)
	return nil
}

// stop says STOPPING=1, and how long the stop may take.
func (s *supervisor) stop(ctx context.Context) {
	if s.ended == nil {
		return
	}
	close(s.stopping)
	state := "STOPPING=1\nSTATUS=" + s.stops()
	if deadline, ok := ctx.Deadline(); ok {
		state += fmt.Sprintf("\nEXTEND_TIMEOUT_USEC=%d", (max(time.Until(deadline), 0) + exitTime).Microseconds())
	}
	s.send(state)
}

// end ends the goroutine. It waits for it, unless a Health holds it.
func (s *supervisor) end(ctx context.Context) {
	if s.ended == nil {
		return
	}
	close(s.quit)
	select {
	case <-s.ended:
	case <-ctx.Done():
	}
}

// run is the goroutine.
func (s *supervisor) run(pingInterval time.Duration) {
	defer close(s.ended)
	var ping, status <-chan time.Time
	if pingInterval > 0 {
		t := time.NewTicker(pingInterval)
		defer t.Stop()
		ping = t.C
	}
	progress := time.NewTicker(statusInterval)
	defer progress.Stop()
	for stopping := s.stopping; ; {
		select {
		case <-s.quit:
			return
		case <-stopping:
			stopping, status = nil, progress.C
		case <-ping:
			if isClosed(s.stopping) || s.isWell(pingInterval) {
				s.send(daemon.SdNotifyWatchdog)
			}
		case <-status:
			s.send("STATUS=" + s.stops())
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// send sends state. The app can do without it, so an error is only logged.
func (s *supervisor) send(state string) {
	if err := s.manager.send(state); err != nil {
		s.log("fxhttpsystemd: the service manager was not notified", "error", err)
	}
}

// isWell reports whether the app is, and logs changes.
func (s *supervisor) isWell(within time.Duration) bool {
	err := s.ask(within)
	if isClosed(s.stopping) {
		return true // what was asked may have been stopped already
	}
	if unwell := err != nil; unwell != s.unwell {
		s.unwell = unwell
		if unwell {
			s.log("fxhttpsystemd: WATCHDOG=1 is not sent, since the app is not well", "error", err)
		} else {
			s.log("fxhttpsystemd: WATCHDOG=1 is sent again, since the app is well")
		}
	}
	return err == nil
}

// ask asks the servers and each Health.
func (s *supervisor) ask(within time.Duration) error {
	var errs []error
	for _, server := range s.servers {
		if err := server.Server.Err(); err != nil {
			errs = append(errs, fmt.Errorf("%s no longer serves: %w", describeServer(server), err))
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	for _, health := range s.health {
		errs = append(errs, askHealth(ctx, health))
	}
	return errors.Join(errs...)
}

func askHealth(ctx context.Context, health Health) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("a Health panicked: %v", v)
		}
	}()
	return health(ctx)
}

// serves says where the servers listen.
func (s *supervisor) serves() string {
	var texts []string
	for _, server := range s.servers {
		addr := server.Server.Addr()
		texts = append(texts, fmt.Sprintf("%s on %s %s", describeServer(server), addr.Network(), addr))
	}
	return "serves: " + strings.Join(texts, ", ")
}

// stops says what a stop is waiting for.
func (s *supervisor) stops() string {
	requests, hijacked, open := 0, 0, 0
	for _, server := range s.servers {
		stats := server.Server.Stats()
		requests += stats.InFlight
		hijacked += stats.Hijacked
		open += stats.Open()
	}
	return fmt.Sprintf("stopping: %d requests in flight, %d connections open, %d of them hijacked", requests, open, hijacked)
}

func describeServer(s fxhttp.NamedServer) string {
	if s.Name == "" {
		return "the http server"
	}
	return fmt.Sprintf("the http server %q", s.Name)
}
