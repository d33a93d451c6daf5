package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// minGrace is what a container has between SIGTERM and SIGKILL whatever its preStop has
// used up (minimumGracePeriodInSeconds of the kubelet).
const minGrace = 2 * time.Second

// defaultGrace is the API server's terminationGracePeriodSeconds.
const defaultGrace = 30 * time.Second

// pod is one of a Deployment, and what the kubelet of its node knows of it.
type pod struct {
	name     string
	addr     string
	revision int
	deleted  chan struct{} // closed by cluster.delete

	// Guarded by cluster.mu.
	ready     bool
	readyAt   time.Time
	deletedAt time.Time // zero: it is not
}

// kubelet runs one pod.
type kubelet struct {
	c         *cluster
	p         *pod
	container *corev1.Container
	grace     time.Duration
	unhealthy chan struct{} // has room for one word of a liveness or startup probe
}

func (c *cluster) newKubelet(p *pod) *kubelet {
	pod := &c.deployment.Spec.Template.Spec
	k := &kubelet{c: c, p: p, container: &pod.Containers[0], grace: defaultGrace, unhealthy: make(chan struct{}, 1)}
	if g := pod.TerminationGracePeriodSeconds; g != nil {
		k.grace = time.Duration(*g) * time.Second
	}
	return k
}

// run starts the container, and starts it again when it has ended, until the pod is
// deleted.
func (k *kubelet) run(ctx context.Context) {
	defer k.c.setReady(k.p, false)
	if err := k.c.family.address(k.p.addr); err != nil {
		k.c.fail(err)
		return
	}
	for {
		cmd, ended, err := k.start()
		if err != nil {
			k.c.fail(err)
			return
		}
		select {
		case <-k.unhealthy: // that was the container before
		default:
		}
		probing, stopProbing := context.WithCancel(ctx)
		alive, stopLiveness := context.WithCancel(probing)
		var probes sync.WaitGroup
		probes.Go(func() { k.probe(probing, alive) })
		deleted := k.watch(ctx, cmd, ended, stopLiveness)
		stopProbing()
		probes.Wait()
		if deleted || ctx.Err() != nil {
			return
		}
		k.c.setReady(k.p, false)
		k.c.noteRestart()
		sleep(ctx, scale(time.Second, k.c.speed))
	}
}

// watch waits for the end of the container, and ends it when it has to end. It reports
// whether the pod was deleted.
func (k *kubelet) watch(ctx context.Context, cmd *exec.Cmd, ended <-chan struct{}, stopLiveness func()) (deleted bool) {
	select {
	case <-ended:
		return false
	case <-k.unhealthy:
		stopLiveness()
		k.stop(ctx, cmd, ended, nil)
		return false
	case <-k.p.deleted:
		// Since Kubernetes 1.21, the liveness probe does not run for a pod that ends,
		// while the readiness probe runs to the end (github.com/kubernetes/kubernetes,
		// issues 52817 and 110309).
		again := k.unhealthy
		if !k.c.oldKubelet {
			stopLiveness()
			again = nil
		}
		begin := time.Now()
		killed := k.stop(ctx, cmd, ended, again)
		k.c.noteStop(time.Since(begin), killed)
		return true
	case <-ctx.Done():
		cmd.Process.Kill()
		<-ended
		return false
	}
}

// stop ends the container: preStop, SIGTERM, again if so told, and SIGKILL when the grace
// period is over.
func (k *kubelet) stop(ctx context.Context, cmd *exec.Cmd, ended, again <-chan struct{}) (killed bool) {
	over := time.Now().Add(scale(k.grace, k.c.speed))
	if hook := k.container.Lifecycle; hook != nil && hook.PreStop != nil && hook.PreStop.Sleep != nil {
		wait := scale(time.Duration(hook.PreStop.Sleep.Seconds)*time.Second, k.c.speed)
		sleep(ctx, min(wait, time.Until(over)))
	}
	kill := time.NewTimer(max(time.Until(over), scale(minGrace, k.c.speed)))
	defer kill.Stop()
	cmd.Process.Signal(syscall.SIGTERM)
	for {
		select {
		case <-ended:
			return false
		case <-again:
			cmd.Process.Signal(syscall.SIGTERM)
		case <-kill.C:
			cmd.Process.Kill()
			<-ended
			return true
		case <-ctx.Done():
			cmd.Process.Kill()
			<-ended
			return false
		}
	}
}

// start runs the service with the environment that the manifest gives it, its times
// divided by the speed of the play.
func (k *kubelet) start() (*exec.Cmd, <-chan struct{}, error) {
	cmd := exec.Command(k.c.service)
	cmd.Env = []string{"HOST=" + k.p.addr}
	for _, e := range k.container.Env {
		value := e.Value
		if d, err := time.ParseDuration(value); err == nil {
			value = scale(d, k.c.speed).String()
		}
		cmd.Env = append(cmd.Env, e.Name+"="+value)
	}
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		return nil, nil, fmt.Errorf("start %s: %w", k.p.name, err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := cmd.Wait(); err != nil {
			k.c.noteFailure(k.p, err, output.String())
		}
	}()
	return cmd, ended, nil
}

// probe asks the probes until their contexts end. The others are not asked before the
// startup probe has succeeded.
func (k *kubelet) probe(probing, alive context.Context) {
	unhealthy := func(good bool) {
		if !good {
			select {
			case k.unhealthy <- struct{}{}:
			default:
			}
		}
	}
	if p := k.container.StartupProbe; p != nil {
		starting, started := context.WithCancel(alive)
		newProber(p, k.container, k.p.addr, k.c.speed).run(starting, func(good bool) {
			if unhealthy(good); good {
				started()
			}
		})
		started()
	}
	var probes sync.WaitGroup
	defer probes.Wait()
	if p := k.container.LivenessProbe; p != nil {
		probes.Go(func() { newProber(p, k.container, k.p.addr, k.c.speed).run(alive, unhealthy) })
	}
	if p := k.container.ReadinessProbe; p != nil {
		probes.Go(func() {
			newProber(p, k.container, k.p.addr, k.c.speed).run(probing, func(good bool) { k.c.setReady(k.p, good) })
		})
	} else if probing.Err() == nil {
		k.c.setReady(k.p, true)
	}
}
