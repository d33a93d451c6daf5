package main

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// poll is how often a controller checks. A real one is notified.
const poll = 10 * time.Millisecond

// rollOut replaces all pods by those of a new revision, as the Deployment's strategy says,
// and returns when the old ones have ended and the rules know it.
func (c *cluster) rollOut(ctx context.Context) error {
	surge, unavailable, err := c.strategy()
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.revision++
	c.mu.Unlock()
	return c.until(ctx, func() bool {
		old, current := c.splitLocked()
		desired := c.replicas()
		if c.deployment.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
			for _, p := range old {
				c.deleteLocked(p)
			}
			surge, unavailable = 0, desired
			if len(c.pods) > len(current) {
				return false // until the old ones are gone
			}
		}
		for len(current) < desired && len(old)+len(current) < desired+surge {
			c.startLocked()
			_, current = c.splitLocked()
		}
		c.scaleDownLocked(old, current, desired-unavailable)
		return len(current) == desired && c.availableLocked(current) == desired && len(c.pods) == desired
	})
}

// scaleDownLocked deletes old pods as long as enough are available: first those that are
// not available, which are no loss.
func (c *cluster) scaleDownLocked(old, current []*pod, least int) {
	available := c.availableLocked(old) + c.availableLocked(current)
	for _, p := range old {
		if !c.isAvailableLocked(p) {
			c.deleteLocked(p)
		} else if available > least {
			c.deleteLocked(p)
			available--
		}
	}
}

// drainNode evicts all pods, as kubectl drain does: as far as a PodDisruptionBudget
// allows it, and again every five seconds. New pods replace them.
func (c *cluster) drainNode(ctx context.Context) error {
	c.mu.Lock()
	c.revision++ // those of the old one are on the node
	c.mu.Unlock()
	var next time.Time
	return c.until(ctx, func() bool {
		old, current := c.splitLocked()
		desired := c.replicas()
		if now := time.Now(); now.After(next) {
			for _, p := range old {
				if c.allowsLocked(old, current) {
					c.deleteLocked(p)
					old, current = c.splitLocked()
				}
			}
			next = now.Add(scale(5*time.Second, c.speed))
		}
		for len(old)+len(current) < desired {
			c.startLocked()
			old, current = c.splitLocked()
		}
		return len(old) == 0 && c.availableLocked(current) == desired && len(c.pods) == desired
	})
}

// allowsLocked asks the budget for one more eviction. Without a budget all are allowed.
func (c *cluster) allowsLocked(old, current []*pod) bool {
	if c.budget == nil {
		return true
	}
	unavailable, err := intstr.GetScaledValueFromIntOrPercent(c.budget.Spec.MaxUnavailable, c.replicas(), true)
	if err != nil {
		return false
	}
	healthy := 0
	for _, p := range append(old, current...) {
		if p.ready {
			healthy++
		}
	}
	return healthy-1 >= c.replicas()-unavailable
}

// until calls step, with the lock held, until it says that all is done, and the rules know
// it.
func (c *cluster) until(ctx context.Context, step func() bool) error {
	for {
		c.mu.Lock()
		done := step()
		c.mu.Unlock()
		if done && c.proxy.settled() {
			return nil
		}
		sleep(ctx, poll)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if c.ctx.Err() != nil {
			return context.Cause(c.ctx)
		}
	}
}

// splitLocked returns the pods of earlier revisions and those of the current one, without
// those that were deleted.
func (c *cluster) splitLocked() (old, current []*pod) {
	for _, p := range c.pods {
		switch {
		case !p.deletedAt.IsZero():
		case p.revision < c.revision:
			old = append(old, p)
		default:
			current = append(current, p)
		}
	}
	return old, current
}

func (c *cluster) availableLocked(pods []*pod) (n int) {
	for _, p := range pods {
		if c.isAvailableLocked(p) {
			n++
		}
	}
	return n
}

// isAvailableLocked says whether p has been ready for minReadySeconds.
func (c *cluster) isAvailableLocked(p *pod) bool {
	wait := scale(time.Duration(c.deployment.Spec.MinReadySeconds)*time.Second, c.speed)
	return p.ready && time.Since(p.readyAt) >= wait
}

func (c *cluster) replicas() int {
	if r := c.deployment.Spec.Replicas; r != nil {
		return int(*r)
	}
	return 1
}

// strategy is how many pods more, and how many fewer, there may be than replicas.
func (c *cluster) strategy() (surge, unavailable int, err error) {
	quarter := intstr.FromString("25%")
	most, least := &quarter, &quarter
	if u := c.deployment.Spec.Strategy.RollingUpdate; u != nil {
		if u.MaxSurge != nil {
			most = u.MaxSurge
		}
		if u.MaxUnavailable != nil {
			least = u.MaxUnavailable
		}
	}
	if surge, err = intstr.GetScaledValueFromIntOrPercent(most, c.replicas(), true); err != nil {
		return 0, 0, fmt.Errorf("maxSurge: %w", err)
	}
	if unavailable, err = intstr.GetScaledValueFromIntOrPercent(least, c.replicas(), false); err != nil {
		return 0, 0, fmt.Errorf("maxUnavailable: %w", err)
	}
	return surge, unavailable, nil
}
