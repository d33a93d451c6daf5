package kubernetes

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// fitting are the settings of the manifests' environment.
func fitting() Settings {
	return Settings{
		Server:         fxhttp.Config{ShutdownDelay: 5 * time.Second},
		StopTimeout:    18 * time.Second,
		LongestRequest: 10 * time.Second,
	}
}

func TestTimesFit(t *testing.T) {
	sum, err := shipped(t).Times(fitting())
	if err != nil {
		t.Fatal(err)
	}
	if want := 17300 * time.Millisecond; sum.Stop() != want {
		t.Errorf("Stop() = %v, want %v: 5 s + 10 s + 0.5 s + 1.8 s", sum.Stop(), want)
	}
	if want := 19 * time.Second; sum.End() != want {
		t.Errorf("End() = %v, want %v", sum.End(), want)
	}
	if len(sum.Warnings) > 0 {
		t.Errorf("warnings: %q, want none", sum.Warnings)
	}
}

// TestReadme compares the table of README.md with the sum.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	m := shipped(t)
	sum, err := m.Times(fitting())
	if err != nil {
		t.Fatal(err)
	}
	for label, d := range map[string]time.Duration{
		"`ShutdownDelay`":                 sum.ShutdownDelay,
		"the longest request":             sum.LongestRequest,
		"force phase":                     sum.Force,
		"`StopReserve`":                   sum.StopReserve,
		"`fx.StopTimeout`":                sum.StopTimeout,
		"exit":                            sum.Exit,
		"`terminationGracePeriodSeconds`": sum.Grace,
		"`minReadySeconds`":               time.Duration(m.Deployment.Spec.MinReadySeconds) * time.Second,
	} {
		if row := fmt.Sprintf("\n| %s | %g s | ", label, d.Seconds()); !strings.Contains(string(text), row) {
			t.Errorf("README.md has no row that begins with %q", row[1:])
		}
	}
	for _, words := range []string{
		fmt.Sprintf("the sum of these four, %g s |", sum.Stop().Seconds()),
		fmt.Sprintf("exit, %g s |", sum.End().Seconds()),
	} {
		if !strings.Contains(string(text), words) {
			t.Errorf("README.md does not say %q", words)
		}
	}
}

// TestTimes makes one number wrong at a time, and one that is just right beside it.
func TestTimes(t *testing.T) {
	grace := func(n int64) func(*Manifests, *Settings) {
		return func(m *Manifests, _ *Settings) { m.Deployment.Spec.Template.Spec.TerminationGracePeriodSeconds = &n }
	}
	stopTimeout := func(d time.Duration) func(*Manifests, *Settings) {
		return func(_ *Manifests, s *Settings) { s.StopTimeout = d }
	}
	delay := func(d time.Duration) func(*Manifests, *Settings) {
		return func(_ *Manifests, s *Settings) { s.Server.ShutdownDelay = d }
	}
	hook := func(h corev1.LifecycleHandler, more ...func(*Manifests, *Settings)) func(*Manifests, *Settings) {
		return func(m *Manifests, s *Settings) {
			m.Deployment.Spec.Template.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: &h}
			for _, f := range more {
				f(m, s)
			}
		}
	}
	command := func(words ...string) corev1.LifecycleHandler {
		return corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: words}}
	}
	container := func(m *Manifests) *corev1.Container { return &m.Deployment.Spec.Template.Spec.Containers[0] }
	for _, test := range []struct {
		name   string
		change func(*Manifests, *Settings)
		want   string // of the error; "" if there is none
	}{
		{"GraceJustEnough", grace(19), ""},
		{"GraceTooShort", grace(18), "terminationGracePeriodSeconds 18 is too short: preStop 0s + fx.StopTimeout 18s + exit 1s = 19s: want 19 or more"},
		{"GraceOfAPI", func(m *Manifests, s *Settings) {
			m.Deployment.Spec.Template.Spec.TerminationGracePeriodSeconds = nil
			s.StopTimeout = 30 * time.Second
		}, "terminationGracePeriodSeconds 30 is too short"},
		{"StopTimeoutTooShort", stopTimeout(17 * time.Second), "fx.StopTimeout 17s is too short: ShutdownDelay 5s + longest request 10s + force phase 500ms + StopReserve 1.7s = 17.2s: want 18s or more"},
		{"StopTimeoutOfFx", stopTimeout(0), "fx.StopTimeout 15s is too short"},
		{"ReserveTooLong", func(_ *Manifests, s *Settings) { s.Server.StopReserve = 3 * time.Second }, "StopReserve 3s = 18.5s"},
		{"ReserveOfMoreThanHalf", func(_ *Manifests, s *Settings) { s.Server.StopReserve = time.Hour }, "StopReserve 9s = 24.5s"},
		{"NoReserve", func(_ *Manifests, s *Settings) { s.Server.StopReserve, s.StopTimeout = -1, 16*time.Second }, ""},
		{"DelayJustEnough", delay(3 * time.Second), ""},
		{"DelayTooShort", delay(2 * time.Second), "ShutdownDelay 2s is too short: nodes send new connections to a deleted pod for 3s"},
		{"NoDelay", delay(0), "ShutdownDelay 0s is too short"},
		{"LoadBalancer", func(_ *Manifests, s *Settings) { s.EndpointRemoval = 20 * time.Second }, "want 20s or more"},
		{"PreStopInstead", hook(corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 5}}, delay(0), stopTimeout(13*time.Second)), ""},
		{"PreStopInGrace", hook(corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 5}}), "preStop 5s + fx.StopTimeout 18s + exit 1s = 24s: want 24 or more"},
		{"PreStopCommand", hook(command("/bin/sleep", "5")), "preStop 5s +"},
		{"PreStopShell", hook(command("/bin/sh", "-c", "sleep 5")), "preStop 5s +"},
		{"PreStopUnknown", hook(command("/bin/drain")), `lifecycle.preStop of the container "hello" does not say how long it takes`},
		{"PreStopGiven", hook(command("/bin/drain"), grace(24), func(_ *Manifests, s *Settings) { s.PreStop = 5 * time.Second }), ""},
		{"NoReadiness", func(m *Manifests, _ *Settings) { container(m).ReadinessProbe = nil }, "no readinessProbe"},
		{"LivenessReadyz", func(m *Manifests, _ *Settings) { container(m).LivenessProbe.HTTPGet.Path = "/readyz" }, "the livenessProbe asks /readyz, as the readinessProbe does"},
		{"LivenessGrace", func(m *Manifests, _ *Settings) {
			container(m).LivenessProbe.TerminationGracePeriodSeconds = new(int64(5))
		}, "livenessProbe.terminationGracePeriodSeconds 5 is too short"},
		{"Container", func(_ *Manifests, s *Settings) { s.Container = "sidecar" }, `no container "sidecar"`},
		{"Negative", stopTimeout(-time.Second), "StopTimeout -1s is negative"},
		{"Config", func(_ *Manifests, s *Settings) { s.Server.Addr = "nowhere" }, `Addr "nowhere"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, s := shipped(t), fitting()
			test.change(m, &s)
			_, err := m.Times(s)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("Times() = %v, want nil", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("Times() = %v, want %q in it", err, test.want)
			}
		})
	}
}

// TestShares asks the engine how it divides the time.
func TestShares(t *testing.T) {
	for _, test := range []struct{ timeout, reserve time.Duration }{
		{15 * time.Second, 0},
		{time.Minute, 0},
		{2 * time.Second, 0},
		{15 * time.Second, 4 * time.Second},
		{15 * time.Second, -1},
		{15 * time.Second, time.Hour},
	} {
		var log shareLog
		s, err := fxshutdown.New(&http.Server{Addr: "127.0.0.1:0"}, fxshutdown.Config{StopReserve: test.reserve, Logger: &log})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), test.timeout)
		err = s.Stop(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		reserve, force := shares(test.timeout, test.reserve)
		near := func(a, b time.Duration) bool { return (a - b).Abs() < 100*time.Millisecond } // Stop begins later
		if !near(reserve, log.reserve) || !near(force, log.force) {
			t.Errorf("shares(%v, %v) = %v, %v, of the engine %v, %v", test.timeout, test.reserve, reserve, force, log.reserve, log.force)
		}
	}
}

type shareLog struct{ reserve, force time.Duration }

func (l *shareLog) LogEvent(e fxshutdown.Event) {
	if s, ok := e.(*fxshutdown.StopBegan); ok {
		l.reserve, l.force = s.Reserve, s.Force
	}
}

func TestWarnings(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Manifests)
		want   string
	}{
		{"Twice", func(m *Manifests) {
			m.Deployment.Spec.Template.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{
				PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 5}},
			}
		}, "the pod waits twice"},
		{"MinReadySeconds", func(m *Manifests) { m.Deployment.Spec.MinReadySeconds = 2 }, "minReadySeconds 2"},
		{"MaxUnavailable", func(m *Manifests) { m.Deployment.Spec.Strategy.RollingUpdate.MaxUnavailable = nil }, "maxUnavailable is not 0"},
		{"ServingPort", func(m *Manifests) {
			m.Deployment.Spec.Template.Spec.Containers[0].ReadinessProbe.HTTPGet.Port = intstr.FromInt32(8080)
		}, "the readinessProbe asks port 8080, on which clients are served"},
		{"NoBudget", func(m *Manifests) { m.Budget = nil }, "no PodDisruptionBudget"},
		{"OneReplica", func(m *Manifests) { m.Deployment.Spec.Replicas = nil }, "one replica"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := shipped(t)
			test.change(m)
			sum, _ := m.Times(fitting())
			if got := strings.Join(sum.Warnings, "\n"); !strings.Contains(got, test.want) || len(sum.Warnings) != 1 {
				t.Errorf("warnings = %q, want one with %q", sum.Warnings, test.want)
			}
		})
	}
}
