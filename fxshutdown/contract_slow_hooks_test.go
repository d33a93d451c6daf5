package fxshutdown_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// slowHookScenarios are about ConnState hooks that take their time: in each state, with a
// stop that begins before the hook, during it, or when it has returned. The response
// beside it arrives in full, its request is counted once, and the stop ends in time.
var slowHookScenarios = slowHooks(bubbles, onSocketlike, 100*ms, time.Second)

var hooksTake = flag.Duration("hooks", 0, "how long the hooks of TestSlowHooksOnSockets take; 0: it is skipped")

// TestSlowHooksOnSockets is the same in real time, as long as the flag says.
func TestSlowHooksOnSockets(t *testing.T) {
	if *hooksTake == 0 {
		t.Skip("takes a while: -hooks 100ms, or -hooks 1s")
	}
	for _, sc := range slowHooks(sockets, idleGrace(grace), *hooksTake) {
		t.Run(sc.name, func(t *testing.T) { sc.where(t, sc.modes, sc.run) })
	}
}

// slowHooks returns a scenario for each state, each beginning of the stop, and each
// duration of the hook. All servers have the setting.
func slowHooks(where func(*testing.T, []mode, func(*testing.T, mode)), with setting, takes ...time.Duration) (all []scenario) {
	for _, d := range takes {
		for _, state := range []http.ConnState{http.StateNew, http.StateActive, http.StateIdle, http.StateHijacked, http.StateClosed} {
			modes := allModes
			if state == http.StateHijacked {
				modes = h1Modes
			}
			for _, when := range []stopWhen{stopBefore, stopDuring, stopAfter} {
				h := slowHook{state: state, when: when, takes: d, with: with}
				all = append(all, scenario{h.String(), where, modes, h.run})
			}
		}
		h := slowHook{state: http.StateIdle, when: stopDuring, takes: d, with: with}
		all = append(all, scenario{"NextRequest/" + h.String(), where, h1Modes, h.runNextRequest})
	}
	return all
}

// stopWhen is when a stop begins, as seen from a hook.
type stopWhen string

const (
	stopBefore stopWhen = "Before"
	stopDuring stopWhen = "During"
	stopAfter  stopWhen = "After"
)

// A slowHook is a scenario whose ConnState hook takes its time once, in one state.
type slowHook struct {
	state http.ConnState
	when  stopWhen
	takes time.Duration
	with  setting
}

func (h slowHook) String() string { return fmt.Sprintf("%v/%s/%v", h.state, h.when, h.takes) }

// early reports whether the hook runs before the handler.
func (h slowHook) early() bool { return h.state == http.StateNew || h.state == http.StateActive }

// step is how much later than the stop something happens in these scenarios.
const step = 50 * ms

func (h slowHook) run(t *testing.T, m mode) {
	b := newBeside(h)
	settings := []setting{h.with, b.setHook}
	if h.state == http.StateNew && h.when == stopBefore {
		// The listener is closed at once unless there is a delay.
		settings = append(settings, delay(step))
	}
	s := start(t, m, b.ServeHTTP, settings...)
	defer b.release()

	c := s.client()
	s.get(c, "/warm").want(t, "hello")
	if h.state == http.StateNew {
		c = s.client()
	}
	got := make(chan reply, 1)
	send := func() { go func() { got <- s.post(c, "/", h.state == http.StateClosed) }() }
	trigger := func() { close(b.trigger) }
	if h.early() {
		b.armed.Store(true)
		trigger = send
	} else {
		send()
		receive(t, "the handler", b.handling)
	}

	var began time.Time
	stopped := make(chan error, 1)
	stop := func() {
		began = time.Now()
		go func() { stopped <- s.stop() }()
		receive(t, "Unready()", s.Unready())
	}
	switch h.when {
	case stopBefore:
		stop()
		time.Sleep(step / 2)
		trigger()
		receive(t, "the hook", b.hookBegan)
	case stopDuring:
		trigger()
		receive(t, "the hook", b.hookBegan)
		time.Sleep(h.takes / 2)
		stop()
	case stopAfter:
		trigger()
		receive(t, "the end of the hook", b.hookEnded)
		stop()
	}
	receive(t, "Draining()", s.Draining())
	time.Sleep(step)
	b.release()

	receive(t, "the response", got).want(t, "hello")
	wantStopped(t, stopped)
	took(t, "Stop()", time.Since(began), 0, 2*step+h.takes+bound)
	receive(t, "the end of the hook", b.hookEnded)
	h.wantAnswered(t, s)
}

// wantAnswered checks that both requests of a scenario are counted once, and as what
// they were.
func (h slowHook) wantAnswered(t *testing.T, s *server) {
	t.Helper()
	answered, hijacked := uint64(2), uint64(0)
	if h.state == http.StateHijacked {
		answered, hijacked = 1, 1
	}
	if st := s.Stats(); st.Requests != 2 || st.Answered != answered || st.Hijacks != hijacked {
		t.Errorf("Stats() = %+v, want 2 requests: %d answered, %d hijacked", st, answered, hijacked)
	}
	if r := s.Report(); !r.Graceful() {
		t.Errorf("Report() = %+v, want it graceful", r)
	}
}

// runNextRequest sends the next request while the hook runs to which net/http has
// reported that the connection is idle. The stop begins meanwhile.
func (h slowHook) runNextRequest(t *testing.T, m mode) {
	b := newBeside(h)
	s := start(t, m, b.ServeHTTP, h.with, b.setHook)
	defer b.release()
	c := s.raw()
	c.get("/")
	receive(t, "the handler", b.handling)
	close(b.trigger)
	receive(t, "the hook", b.hookBegan)
	c.reply(http.MethodGet).want(t, "hello")
	c.get("/warm")
	time.Sleep(h.takes / 2)
	began := time.Now()
	s.mustStop()
	took(t, "Stop()", time.Since(began), 0, h.takes/2+bound)
	c.reply(http.MethodGet).want(t, "hello")
	h.wantAnswered(t, s)
}

// beside is a handler and a hook, and what a test has to know about them.
type beside struct {
	slowHook
	armed                atomic.Bool   // the hook takes its time the next time
	hookBegan, hookEnded chan struct{} // closed when it began, and when it ended

	handling chan struct{} // closed when the handler runs
	trigger  chan struct{} // closed to let it go on to what calls the hook
	released chan struct{} // closed to let it end
	once     sync.Once     // closes released
}

func newBeside(h slowHook) *beside {
	return &beside{slowHook: h, hookBegan: make(chan struct{}), hookEnded: make(chan struct{}),
		handling: make(chan struct{}), trigger: make(chan struct{}), released: make(chan struct{})}
}

func (b *beside) release() { b.once.Do(func() { close(b.released) }) }

func (b *beside) setHook(srv *http.Server, _ *fxshutdown.Config) {
	srv.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == b.state && b.armed.CompareAndSwap(true, false) {
			close(b.hookBegan)
			time.Sleep(b.takes)
			close(b.hookEnded)
		}
	}
}

func (b *beside) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/warm" {
		hello(w, r)
		return
	}
	io.Copy(io.Discard, r.Body)
	if b.early() {
		close(b.handling)
		<-b.released
		hello(w, r)
		return
	}
	b.armed.Store(true)
	if b.state == http.StateIdle {
		// A committed response cannot say close, so HTTP/1 becomes idle again.
		io.WriteString(w, "hel")
		w.(http.Flusher).Flush()
	}
	close(b.handling)
	<-b.trigger
	switch b.state {
	case http.StateIdle:
		io.WriteString(w, "lo")
	case http.StateHijacked:
		nc, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		<-b.released
		io.WriteString(nc, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello")
		nc.Close()
	default:
		hello(w, r)
	}
}

// post sends a request that no client repeats on its own; last makes it the last of its
// connection.
func (s *server) post(c *http.Client, path string, last bool) reply {
	ctx, cancel := context.WithTimeout(context.Background(), s.clientTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url(path), io.NopCloser(strings.NewReader("x")))
	if err != nil {
		return reply{err: err}
	}
	req.Close = last
	return exchange(c, req)
}
