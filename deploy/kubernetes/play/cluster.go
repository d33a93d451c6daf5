package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	policyv1 "k8s.io/api/policy/v1"
)

// cluster is a Deployment that is played: its controller, the kubelets of its pods, and
// the way from a change of a pod to the rules of the service.
type cluster struct {
	deployment *appsv1.Deployment
	budget     *policyv1.PodDisruptionBudget
	family     *family
	service    string  // the program in the pods
	speed      float64 // all times are divided by it
	lag        time.Duration
	oldKubelet bool

	proxy   *proxy
	ctx     context.Context
	cancel  context.CancelCauseFunc
	running sync.WaitGroup

	mu        sync.Mutex // guards what follows
	pods      []*pod     // those that are not gone
	started   int
	revision  int
	published []string
	stops     []time.Duration
	killed    int
	restarts  int
	failures  []string // of containers that ended with an error
}

// open starts the proxy and the pods of the first revision.
func (c *cluster) open(parent context.Context) error {
	c.ctx, c.cancel = context.WithCancelCause(parent)
	var err error
	if c.proxy, err = startProxy(c.ctx, c.family, &c.running, c.fail); err != nil {
		c.close()
		return err
	}
	if err := c.rollOut(c.ctx); err != nil {
		c.close()
		return err
	}
	return nil
}

// close ends all pods by force.
func (c *cluster) close() {
	c.cancel(nil)
	c.running.Wait()
}

// fail ends the play.
func (c *cluster) fail(err error) { c.cancel(err) }

// startLocked starts a pod of the current revision.
func (c *cluster) startLocked() {
	c.started++
	n := c.started
	p := &pod{
		name:     fmt.Sprintf("pod-%d", n),
		addr:     c.family.pod(n), // never that of an earlier one
		revision: c.revision,
		deleted:  make(chan struct{}),
	}
	c.pods = append(c.pods, p)
	k := c.newKubelet(p)
	c.running.Go(func() {
		k.run(c.ctx)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.pods = slices.DeleteFunc(c.pods, func(other *pod) bool { return other == p })
		c.publishLocked()
	})
}

// deleteLocked begins the end of p: the kubelet and the endpoints learn of it at the same
// time.
func (c *cluster) deleteLocked(p *pod) {
	p.deletedAt = time.Now()
	close(p.deleted)
	c.publishLocked()
}

func (c *cluster) setReady(p *pod, ready bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.ready == ready {
		return
	}
	p.ready = ready
	if ready {
		p.readyAt = time.Now()
	}
	c.publishLocked()
}

// publishLocked tells the proxy the endpoints if they have changed: the pods that are ready,
// or, if there is none, those that end and are ready still (KEP-1669). Between half of the
// lag and all of it passes until they are in the rules.
func (c *cluster) publishLocked() {
	var addrs, ending []string
	for _, p := range c.pods {
		switch {
		case p.ready && p.deletedAt.IsZero():
			addrs = append(addrs, p.addr)
		case p.ready:
			ending = append(ending, p.addr)
		}
	}
	if len(addrs) == 0 {
		addrs = ending
	}
	if slices.Equal(addrs, c.published) {
		return
	}
	c.published = addrs
	lag := scale(c.lag, c.speed)
	c.proxy.update(addrs, lag/2+rand.N(lag/2+1))
}

func (c *cluster) noteStop(took time.Duration, killed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stops = append(c.stops, took)
	if killed {
		c.killed++
	}
}

func (c *cluster) noteRestart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.restarts++
}

func (c *cluster) noteFailure(p *pod, err error, output string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() < 0 {
		return // killed
	}
	if len(c.failures) < 10 {
		c.failures = append(c.failures, fmt.Sprintf("%s: %v: %s", p.name, err, lastLine(output)))
	}
}

// lastLine is the last line that a container printed, cut to fit into a table.
func lastLine(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	last := lines[len(lines)-1]
	return last[:min(len(last), 300)]
}
