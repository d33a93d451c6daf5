package main

import (
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/fxshutdown/fxhttp/deploy/kubernetes"
)

// scenario is a way to set the cluster up: the manifests, and what is done to them.
type scenario struct {
	name    string
	about   string // what the table says of it
	loses   bool   // it is meant to
	change  func(*kubernetes.Manifests)
	old     bool // an old kubelet
	drain   bool // the node is drained, instead of a rollout
	netHTTP bool // is played with net/http too
}

func scenarios() []scenario {
	return []scenario{
		{name: "manifests", about: "the manifests as they are", change: none, netHTTP: true},
		{name: "prestop", about: "preStop sleep 5 s instead of SHUTDOWN_DELAY", netHTTP: true, change: func(m *kubernetes.Manifests) {
			setEnv(m, "SHUTDOWN_DELAY", "0s")
			setPreStop(m, 5)
		}},
		{name: "prestop-and-delay", about: "preStop sleep 5 s as well as SHUTDOWN_DELAY 5 s", change: func(m *kubernetes.Manifests) {
			setPreStop(m, 5)
			setGrace(m, 25)
		}},
		{name: "no-delay", about: "no SHUTDOWN_DELAY", loses: true, netHTTP: true, change: func(m *kubernetes.Manifests) {
			setEnv(m, "SHUTDOWN_DELAY", "0s")
		}},
		{name: "short-delay", about: "SHUTDOWN_DELAY 1 s, shorter than the removal of endpoints takes", loses: true, change: func(m *kubernetes.Manifests) {
			setEnv(m, "SHUTDOWN_DELAY", "1s")
		}},
		{name: "short-grace", about: "terminationGracePeriodSeconds 6: less than the delay and a request of 2 s together", loses: true, change: func(m *kubernetes.Manifests) {
			setGrace(m, 6)
		}},
		{name: "long-prestop", about: "preStop sleep 20 s, all of the grace period: SIGKILL 2 s after SIGTERM, in the delay", loses: true, change: func(m *kubernetes.Manifests) {
			setPreStop(m, 20)
		}},
		{name: "no-readiness", about: "no readinessProbe, with pods that start in 5 s", loses: true, change: func(m *kubernetes.Manifests) {
			c := first(m)
			c.ReadinessProbe, c.StartupProbe = nil, nil
			setEnv(m, "STARTUP", "5s")
		}},
		{name: "serving-port", about: "readinessProbe on the serving port", change: func(m *kubernetes.Manifests) {
			first(m).ReadinessProbe.HTTPGet.Port = intstr.FromString("http")
		}},
		{name: "liveness-readyz", about: "livenessProbe asks /readyz every second", change: liveness},
		{name: "liveness-old", about: "the same, with a kubelet before 1.21 and WithForceSignals", loses: true, old: true, change: func(m *kubernetes.Manifests) {
			liveness(m)
			setEnv(m, "FORCE_SIGNALS", "yes")
		}},
		{name: "one-replica", about: "1 replica, minReadySeconds 0: the old pod is told to stop before the new one is in the rules", change: func(m *kubernetes.Manifests) {
			m.Deployment.Spec.Replicas = new(int32(1))
			m.Deployment.Spec.MinReadySeconds = 0
		}},
		{name: "recreate", about: "strategy Recreate", loses: true, change: func(m *kubernetes.Manifests) {
			m.Deployment.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
		}},
		{name: "node", about: "a node with all pods is drained, with the PodDisruptionBudget", drain: true, change: none},
		{name: "node-slow", about: "the same, with pods that start in 8 s", drain: true, change: func(m *kubernetes.Manifests) {
			setEnv(m, "STARTUP", "8s")
		}},
		{name: "node-no-budget", about: "a node with all pods is drained, without a PodDisruptionBudget", drain: true, change: func(m *kubernetes.Manifests) { m.Budget = nil }},
		{name: "node-slow-no-budget", about: "the same, with pods that start in 8 s", drain: true, loses: true, change: func(m *kubernetes.Manifests) {
			m.Budget = nil
			setEnv(m, "STARTUP", "8s")
		}},
	}
}

func none(*kubernetes.Manifests) {}

func liveness(m *kubernetes.Manifests) {
	p := first(m).LivenessProbe
	p.HTTPGet.Path, p.PeriodSeconds = "/readyz", 1
}

// report is how long a slow request takes.
const report = 2 * time.Second

// manifests are those of s, the environment of the play added.
func (s *scenario) manifests(m *kubernetes.Manifests, server string) *kubernetes.Manifests {
	m = &kubernetes.Manifests{Deployment: m.Deployment.DeepCopy(), Service: m.Service, Budget: m.Budget}
	setEnv(m, "REPORT", report.String())
	setEnv(m, "SERVER", server)
	s.change(m)
	return m
}

func first(m *kubernetes.Manifests) *corev1.Container {
	return &m.Deployment.Spec.Template.Spec.Containers[0]
}

func setEnv(m *kubernetes.Manifests, name, value string) {
	c := first(m)
	c.Env = slices.DeleteFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == name })
	c.Env = append(c.Env, corev1.EnvVar{Name: name, Value: value})
}

func setGrace(m *kubernetes.Manifests, seconds int64) {
	m.Deployment.Spec.Template.Spec.TerminationGracePeriodSeconds = &seconds
}

func setPreStop(m *kubernetes.Manifests, seconds int64) {
	first(m).Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: seconds}}}
}
