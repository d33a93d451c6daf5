package kubernetes

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/fxshutdown/fxhttp"
)

// Defaults of [Settings].
const (
	// DefaultStopTimeout is that of Fx.
	DefaultStopTimeout = 15 * time.Second

	// DefaultEndpointRemoval is the longest time from the deletion of a pod until no node
	// sends it new connections, if nothing outside of the cluster has to learn of it.
	// kube-proxy writes its rules at most once a second (its minSyncPeriod). Before that,
	// the API server and the controller of the EndpointSlices take less than a second if
	// they are not overloaded.
	DefaultEndpointRemoval = 3 * time.Second

	// DefaultExit is the time left after the stop timeout for the process to end and the
	// kubelet to see it, on a busy node.
	DefaultExit = time.Second
)

// Limits of the engine: see fxshutdown.Config.StopReserve and the comment of its package.
const (
	maxStopReserve = 2 * time.Second
	maxForce       = 500 * time.Millisecond
)

// defaultGrace is that of the API server, in seconds.
const defaultGrace = 30

// Settings are the times that a Deployment does not contain.
type Settings struct {
	// Container is the name of the container that runs the service. Default: the first.
	Container string

	// Server has the ShutdownDelay and the StopReserve of the service. As everywhere in an
	// fxhttp.Config, zero means the default, and a negative value none.
	Server fxhttp.Config

	// StopTimeout is that of fx.StopTimeout. Default: [DefaultStopTimeout].
	StopTimeout time.Duration

	// LongestRequest is how long the longest request takes that must be finished, or the
	// goodbye of a stream. Default: none, that is, all requests are short.
	LongestRequest time.Duration

	// EndpointRemoval is the time from the deletion of a pod until nothing sends it new
	// connections: neither kube-proxy on any node, nor an ingress controller, nor a load
	// balancer that knows the pods. Default: [DefaultEndpointRemoval].
	EndpointRemoval time.Duration

	// PreStop is how long the preStop hook takes. Default: the time in the manifest, if the
	// hook is a sleep action, or a command that is sleep and a number. For other hooks it
	// must be given.
	PreStop time.Duration

	// Exit is the time that must be left after StopTimeout. Default: [DefaultExit].
	Exit time.Duration
}

func (s Settings) withDefaults() Settings {
	s.StopTimeout = cmp.Or(s.StopTimeout, DefaultStopTimeout)
	s.EndpointRemoval = cmp.Or(s.EndpointRemoval, DefaultEndpointRemoval)
	s.Exit = cmp.Or(s.Exit, DefaultExit)
	return s
}

func (s Settings) validate() error {
	var errs []error
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"StopTimeout", s.StopTimeout}, {"LongestRequest", s.LongestRequest}, {"EndpointRemoval", s.EndpointRemoval},
		{"PreStop", s.PreStop}, {"Exit", s.Exit},
	} {
		if d.value < 0 {
			errs = append(errs, fmt.Errorf("%s %v is negative", d.name, d.value))
		}
	}
	return errors.Join(append(errs, s.Server.Validate())...)
}

// Sum is how the time of a pod's end is spent.
type Sum struct {
	PreStop        time.Duration // of the kubelet, before SIGTERM
	ShutdownDelay  time.Duration
	LongestRequest time.Duration
	Force          time.Duration // the force phase: from cancelled contexts to cut connections
	StopReserve    time.Duration // left to the hooks that stop after the server
	StopTimeout    time.Duration
	Exit           time.Duration
	Grace          time.Duration // terminationGracePeriodSeconds

	EndpointRemoval time.Duration

	// Warnings are about settings that lose nothing by themselves.
	Warnings []string
}

// Stop is what the service needs of its StopTimeout.
func (s *Sum) Stop() time.Duration {
	return s.ShutdownDelay + s.LongestRequest + s.Force + s.StopReserve
}

// End is what the pod needs of its terminationGracePeriodSeconds.
func (s *Sum) End() time.Duration { return s.PreStop + s.StopTimeout + s.Exit }

// Times adds up the times of the Deployment and those of the service. It returns the sum
// if there is one, even with an error. The error names each number that is too small and
// what it must be, and each probe that would end a pod that serves.
func (m *Manifests) Times(settings Settings) (*Sum, error) {
	if err := settings.validate(); err != nil {
		return nil, err
	}
	s := settings.withDefaults()
	pod := &m.Deployment.Spec.Template.Spec
	c, err := container(pod, s.Container)
	if err != nil {
		return nil, err
	}
	sum := &Sum{
		ShutdownDelay:   max(s.Server.ShutdownDelay, 0),
		LongestRequest:  s.LongestRequest,
		StopTimeout:     s.StopTimeout,
		Exit:            s.Exit,
		EndpointRemoval: s.EndpointRemoval,
		Grace:           defaultGrace * time.Second,
	}
	if g := pod.TerminationGracePeriodSeconds; g != nil {
		sum.Grace = time.Duration(*g) * time.Second
	}
	sum.StopReserve, sum.Force = shares(s.StopTimeout, s.Server.StopReserve)
	if sum.PreStop = s.PreStop; sum.PreStop == 0 {
		if sum.PreStop, err = preStop(c); err != nil {
			return nil, err
		}
	}
	sum.warn(m, c)
	return sum, errors.Join(append(sum.check(), m.checkProbes(c, sum)...)...)
}

// shares is how the engine divides a stop timeout.
func shares(timeout, reserve time.Duration) (reserved, force time.Duration) {
	if reserve == 0 {
		reserve = min(timeout/10, maxStopReserve)
	}
	reserve = min(max(reserve, 0), timeout/2)
	return reserve, min((timeout-reserve)/10, maxForce)
}

func (s *Sum) check() (errs []error) {
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if have := s.PreStop + s.ShutdownDelay; have < s.EndpointRemoval {
		bad("ShutdownDelay %v is too short: nodes send new connections to a deleted pod for %v (EndpointRemoval), and the pod refuses those "+
			"that come later than %v: want %v or more", s.ShutdownDelay, s.EndpointRemoval, have, s.EndpointRemoval-s.PreStop)
	}
	if need := s.Stop(); need > s.StopTimeout {
		bad("fx.StopTimeout %v is too short: ShutdownDelay %v + longest request %v + force phase %v + StopReserve %v = %v: want %v or more",
			s.StopTimeout, s.ShutdownDelay, s.LongestRequest, s.Force, s.StopReserve, need, seconds(need))
	}
	if need := max(s.End(), s.PreStop+s.Stop()+s.Exit); need > s.Grace {
		bad("terminationGracePeriodSeconds %d is too short: preStop %v + fx.StopTimeout %v + exit %v = %v: want %d or more, or the pod is killed",
			s.Grace/time.Second, s.PreStop, max(s.StopTimeout, s.Stop()), s.Exit, need, seconds(need)/time.Second)
	}
	return errs
}

// seconds rounds up to what a manifest can say.
func seconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}

func (s *Sum) warn(m *Manifests, c *corev1.Container) {
	warn := func(format string, args ...any) { s.Warnings = append(s.Warnings, fmt.Sprintf(format, args...)) }
	d := &m.Deployment.Spec
	if s.PreStop > 0 && s.ShutdownDelay > 0 {
		warn("the pod waits twice, for preStop %v and for ShutdownDelay %v: one of them is enough", s.PreStop, s.ShutdownDelay)
	}
	if wait := time.Duration(d.MinReadySeconds) * time.Second; wait < s.EndpointRemoval {
		warn("minReadySeconds %d: a rollout goes on before every node knows the new pod, which may take %v", d.MinReadySeconds, s.EndpointRemoval)
	}
	if u := d.Strategy.RollingUpdate; u == nil || u.MaxUnavailable == nil || u.MaxUnavailable.String() != "0" {
		warn("strategy.rollingUpdate.maxUnavailable is not 0: a rollout takes pods away before it has new ones")
	}
	if m.Service != nil && c.ReadinessProbe != nil && c.ReadinessProbe.HTTPGet != nil {
		asked, _ := Port(c, c.ReadinessProbe.HTTPGet.Port)
		for _, p := range m.Service.Spec.Ports {
			if serving, ok := Port(c, targetPort(p)); ok && serving == asked {
				warn("the readinessProbe asks port %d, on which clients are served, so it waits in their queue, and is refused while the server drains: "+
					"ask the admin server", asked)
			}
		}
	}
	switch {
	case m.Budget == nil:
		warn("no PodDisruptionBudget: a node that is drained ends all of its pods at once")
	case d.Replicas == nil || *d.Replicas < 2:
		warn("one replica: with a PodDisruptionBudget, no other pod serves during an eviction")
	}
}

// checkProbes says which probes end pods that serve, or send traffic to pods that do not.
func (m *Manifests) checkProbes(c *corev1.Container, sum *Sum) (errs []error) {
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	ready, live := c.ReadinessProbe, c.LivenessProbe
	if ready == nil {
		bad("no readinessProbe: a pod gets traffic as soon as its process runs, before it listens")
	}
	if live == nil {
		return errs
	}
	if ready != nil && ready.HTTPGet != nil && live.HTTPGet != nil &&
		ready.HTTPGet.Path == live.HTTPGet.Path && ready.HTTPGet.Port == live.HTTPGet.Port {
		bad("the livenessProbe asks %s, as the readinessProbe does, so a pod that is not ready would be restarted: ask /livez", live.HTTPGet.Path)
	}
	if g := live.TerminationGracePeriodSeconds; g != nil && time.Duration(*g)*time.Second < sum.End() {
		bad("livenessProbe.terminationGracePeriodSeconds %d is too short: a pod that is restarted needs %v, too", *g, sum.End())
	}
	return errs
}

func container(pod *corev1.PodSpec, name string) (*corev1.Container, error) {
	for i := range pod.Containers {
		if c := &pod.Containers[i]; name == "" || c.Name == name {
			return c, nil
		}
	}
	if name == "" {
		return nil, errors.New("the Deployment has no container")
	}
	return nil, fmt.Errorf("the Deployment has no container %q", name)
}

var sleepCommand = regexp.MustCompile(`^(?:\S*/)?sleep ([0-9]+)s?$`)

// preStop is how long the hook takes, as far as the manifest says it.
func preStop(c *corev1.Container) (time.Duration, error) {
	if c.Lifecycle == nil || c.Lifecycle.PreStop == nil {
		return 0, nil
	}
	hook := c.Lifecycle.PreStop
	if hook.Sleep != nil {
		return time.Duration(hook.Sleep.Seconds) * time.Second, nil
	}
	if hook.Exec != nil {
		command := hook.Exec.Command
		if len(command) == 3 && command[1] == "-c" {
			command = command[2:] // of a shell
		}
		if found := sleepCommand.FindStringSubmatch(strings.Join(command, " ")); found != nil {
			n, err := strconv.Atoi(found[1])
			return time.Duration(n) * time.Second, err
		}
	}
	return 0, fmt.Errorf("lifecycle.preStop of the container %q does not say how long it takes: give PreStop", c.Name)
}

// String is the sum as a table of Markdown.
func (s *Sum) String() string {
	rows := [][2]string{
		{"preStop", s.PreStop.String()},
		{"ShutdownDelay", s.ShutdownDelay.String()},
		{"longest request", s.LongestRequest.String()},
		{"force phase", s.Force.String()},
		{"StopReserve", s.StopReserve.String()},
		{"**the stop needs**, without preStop", s.Stop().String()},
		{"`fx.StopTimeout`", s.StopTimeout.String()},
		{"exit", s.Exit.String()},
		{"**the pod needs**: preStop, `fx.StopTimeout`, exit", s.End().String()},
		{"`terminationGracePeriodSeconds`", s.Grace.String()},
		{"time for which new connections come", s.EndpointRemoval.String()},
	}
	width := len(slices.MaxFunc(rows, func(a, b [2]string) int { return len(a[0]) - len(b[0]) })[0])
	var b strings.Builder
	fmt.Fprintf(&b, "| %-*s |   time |\n|-%s-|-------:|\n", width, "", strings.Repeat("-", width))
	for _, r := range rows {
		fmt.Fprintf(&b, "| %-*s | %6s |\n", width, r[0], r[1])
	}
	return b.String()
}
