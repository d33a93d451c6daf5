package fxhttp_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

func needSignals(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot signal itself")
	}
}

// signalSelf sends a signal to the process of the test. Something must listen for it.
func signalSelf(t *testing.T, s os.Signal) {
	t.Helper()
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Signal(s); err != nil {
		t.Fatal(err)
	}
}

func readiness(s *fxshutdown.Server) int {
	w := httptest.NewRecorder()
	s.ReadyHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/ready", nil))
	return w.Code
}

// receive waits for a value, and fails the test if none comes.
func receive[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		t.Fatalf("waited 10s for %s", what)
		panic("unreachable")
	}
}

// runLater does in the background what Run does once the app has started.
func runLater(app *fx.App) (wait func() error) {
	result, told := make(chan error, 1), app.Wait()
	go func() {
		<-told
		result <- stop(app, 10*time.Second)
	}()
	return func() error { return <-result }
}

// A hook that stops before the servers takes 1 s. Readiness still fails at the signal, and
// the delay of 1.2 s counts from the signal.
func TestUnreadySignal(t *testing.T) {
	needSignals(t)
	const delay = 1200 * time.Millisecond
	hookStops, seen := make(chan struct{}), make(chan struct{})
	var other struct {
		fx.In

		Server *fxshutdown.Server `name:"other"`
	}
	a := startApp(t,
		[]fxhttp.Option{fxhttp.WithUnreadySignals(), fxhttp.WithForceSignals(), fxhttp.WithShutdownDelay(delay)},
		provideHandler(text("hello")),
		fx.Provide(fx.Annotate(func() http.Handler { return text("other") }, fx.ResultTags(`name:"other"`))),
		fxhttp.Module(fxhttp.WithName("other"), fxhttp.WithAddr("127.0.0.1:0"), fxhttp.WithLogger(new(recorder)),
			fxhttp.WithUnreadySignals(syscall.SIGTERM)),
		fx.Populate(&other),
		fx.Invoke(func(lc fx.Lifecycle) {
			lc.Append(fx.StopHook(func() {
				close(hookStops)
				time.Sleep(time.Second)
				<-seen
			}))
		}))
	get(t, newClient(t), a.url("/")) // a server without any connection skips the delay
	wait := runLater(a.App)
	if got := readiness(a.server); got != http.StatusOK {
		t.Errorf("readiness = %d before the signal, want 200", got)
	}

	signalSelf(t, syscall.SIGTERM)
	receive(t, "the first hook to stop", hookStops)
	receive(t, "Unready() of the server", a.server.Unready())
	receive(t, "Unready() of the other server", other.Server.Unready())
	for _, s := range []*fxshutdown.Server{a.server, other.Server} {
		if got := readiness(s); got != http.StatusServiceUnavailable {
			t.Errorf("readiness = %d after the signal, want 503", got)
		}
	}
	if _, body := get(t, newClient(t), a.url("/")); body != "hello" {
		t.Errorf("body = %q after the signal, want hello", body)
	}
	close(seen)
	if err := wait(); err != nil {
		t.Errorf("Stop() = %v, want nil", err)
	}

	e := recorded[*fxshutdown.StopBegan](t, a.events)
	if e.UnreadyFor < 900*time.Millisecond || e.ShutdownDelay != delay || e.Trigger != fxshutdown.TriggerStop {
		t.Errorf("StopBegan = %+v, want that it was unready for 1s already", e)
	}
	var waited time.Duration
	for _, p := range a.server.Report().Phases {
		if p.Name == fxshutdown.PhaseDelay {
			waited = p.Duration
		}
	}
	if waited > 700*time.Millisecond || e.UnreadyFor+waited < delay {
		t.Errorf("the stop was delayed by %v after %v, want %v together", waited, e.UnreadyFor, delay)
	}
}

// A signal that arrives while the app is still starting, when Fx does not listen yet, is
// not lost.
func TestUnreadySignalDuringStart(t *testing.T) {
	needSignals(t)
	a := startApp(t, []fxhttp.Option{fxhttp.WithUnreadySignals()}, provideHandler(text("hello")),
		fx.Invoke(func(lc fx.Lifecycle, s *fxshutdown.Server) {
			lc.Append(fx.StartHook(func() {
				signalSelf(t, syscall.SIGTERM)
				receive(t, "Unready()", s.Unready())
				time.Sleep(300 * time.Millisecond) // a slow start
			}))
		}))
	if got := readiness(a.server); got != http.StatusServiceUnavailable {
		t.Errorf("readiness = %d, want 503", got)
	}
	receive(t, "the app to be told to stop", a.Wait())
}

// A doubled Ctrl-C does not force the end. Another one, long after the first, does.
func TestForceSignalsDoubled(t *testing.T) {
	needSignals(t)
	entered, cause := make(chan struct{}), make(chan error, 1)
	a := startApp(t, []fxhttp.Option{fxhttp.WithUnreadySignals(), fxhttp.WithForceSignals()},
		provideHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(entered)
			<-r.Context().Done()
			cause <- context.Cause(r.Context())
		})))
	if _, err := a.dial(t).Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	receive(t, "the handler", entered)
	wait := runLater(a.App)
	signalSelf(t, os.Interrupt)
	time.Sleep(20 * time.Millisecond)
	signalSelf(t, os.Interrupt)
	receive(t, "Draining()", a.server.Draining())
	select {
	case err := <-cause:
		t.Errorf("the request was cancelled by the repeat: %v", err)
	case <-time.After(600 * time.Millisecond):
		signalSelf(t, os.Interrupt)
		if err := receive(t, "the cancelled request", cause); err != fxshutdown.ErrForced {
			t.Errorf("cause = %v, want ErrForced", err)
		}
	}
	wait() // the engine decides whether a request that was cut is an error
}

// After the stop, the signals kill the process again.
func TestSignalsReleased(t *testing.T) {
	needSignals(t)
	if os.Getenv("FXHTTP_TEST_SIGNALS") != "" {
		a := startApp(t, []fxhttp.Option{fxhttp.WithUnreadySignals(), fxhttp.WithForceSignals()}, provideHandler(text("hello")))
		signalSelf(t, syscall.SIGTERM)
		receive(t, "Unready()", a.server.Unready())
		if err := stop(a.App, 5*time.Second); err != nil {
			t.Fatal(err)
		}
		signalSelf(t, syscall.SIGTERM)
		time.Sleep(10 * time.Second)
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestSignalsReleased$", "-test.timeout=20s")
	cmd.Env = append(os.Environ(), "FXHTTP_TEST_SIGNALS=1")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(err.Error(), syscall.SIGTERM.String()) {
		t.Errorf("the process ended with %v, want killed by the signal:\n%s", err, out)
	}
}
