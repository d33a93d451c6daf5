package main

import (
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// states are pods by a letter each: o is an old one and n a new one that is available, O and
// N are those that are not ready, x is one that was deleted and is ready still.
func states(letters string) *cluster {
	c := &cluster{
		deployment: &appsv1.Deployment{},
		speed:      1,
		revision:   2,
		proxy:      &proxy{updates: make(chan update, 100)},
	}
	c.deployment.Spec.Replicas = new(int32(4))
	c.deployment.Spec.MinReadySeconds = 3
	for _, l := range letters {
		p := &pod{addr: string(l), revision: 1, deleted: make(chan struct{}), readyAt: time.Now().Add(-time.Minute)}
		switch l {
		case 'n', 'N':
			p.revision = 2
		case 'x':
			p.deletedAt = time.Now()
		}
		p.ready = l == 'o' || l == 'n' || l == 'x'
		c.pods = append(c.pods, p)
	}
	return c
}

func (c *cluster) left() string {
	var left []byte
	for _, p := range c.pods {
		if p.deletedAt.IsZero() {
			left = append(left, p.addr[0])
		}
	}
	return string(left)
}

func TestScaleDown(t *testing.T) {
	for _, test := range []struct {
		name, before string
		least        int
		after        string
	}{
		{"NoneToSpare", "oooo", 4, "oooo"},
		{"NewOneIsNotAvailable", "ooooN", 4, "ooooN"},
		{"OneForOne", "oooon", 4, "ooon"},
		{"MaxUnavailable", "oooo", 3, "ooo"},
		{"BrokenOnesFirst", "oooOn", 4, "ooon"},
		{"DeletedOnesDoNotCount", "oooxn", 4, "ooon"},
		{"AllReplaced", "onnnn", 4, "nnnn"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := states(test.before)
			old, current := c.splitLocked()
			c.scaleDownLocked(old, current, test.least)
			if got := c.left(); got != test.after {
				t.Errorf("%s is scaled down to %s, want %s", test.before, got, test.after)
			}
		})
	}
}

// TestMinReadySeconds looks at a pod that has just become ready.
func TestMinReadySeconds(t *testing.T) {
	c := states("n")
	if c.pods[0].readyAt = time.Now(); c.isAvailableLocked(c.pods[0]) {
		t.Error("a pod that has just become ready is available, want it to wait for minReadySeconds")
	}
}

func TestBudget(t *testing.T) {
	for _, test := range []struct {
		pods   string
		budget bool
		want   bool
	}{
		{"oooo", true, true},
		{"ooo", true, false},
		{"oooN", true, false},
		{"ooon", true, true},
		{"oooxN", true, false},
		{"o", false, true},
	} {
		c := states(test.pods)
		if test.budget {
			c.budget = &policyv1.PodDisruptionBudget{Spec: policyv1.PodDisruptionBudgetSpec{MaxUnavailable: new(intstr.FromInt32(1))}}
		}
		old, current := c.splitLocked()
		if got := c.allowsLocked(old, current); got != test.want {
			t.Errorf("with %s, and a budget: %v, an eviction is allowed: %v, want %v", test.pods, test.budget, got, test.want)
		}
	}
}

func TestEndpoints(t *testing.T) {
	for _, test := range []struct {
		name, pods string
		want       []string
	}{
		{"Ready", "oOnNx", []string{"o", "n"}},
		{"OnlyThoseThatEnd", "OxN", []string{"x"}},
		{"None", "ON", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := states(test.pods)
			c.published = []string{"before"}
			c.publishLocked()
			if got := (<-c.proxy.updates).addrs; !slices.Equal(got, test.want) {
				t.Errorf("endpoints of %s are %v, want %v", test.pods, got, test.want)
			}
		})
	}
}
