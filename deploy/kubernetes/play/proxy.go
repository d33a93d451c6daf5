package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// proxy plays kube-proxy in its nftables mode: a rule that sends each new connection to
// the service's address to a random endpoint. The kernel does the rest, as on a node: an
// existing connection stays with its pod, and a connection to a pod that does not listen
// is refused.
type proxy struct {
	family  *family
	updates chan update

	mu      sync.Mutex // guards pending
	pending int        // updates that are not in the rules yet
}

// update is the endpoints that the rules must name from some time on.
type update struct {
	due   time.Time
	addrs []string
}

func startProxy(ctx context.Context, f *family, running *sync.WaitGroup, failed func(error)) (*proxy, error) {
	p := &proxy{family: f, updates: make(chan update, 1000)}
	if err := p.write(nil); err != nil {
		return nil, err
	}
	running.Go(func() {
		for {
			select {
			case u := <-p.updates:
				sleep(ctx, time.Until(u.due))
				if err := p.write(u.addrs); err != nil {
					failed(err)
					return
				}
				p.mu.Lock()
				p.pending--
				p.mu.Unlock()
			case <-ctx.Done():
				return
			}
		}
	})
	return p, nil
}

// update has the rules name addrs after lag. Updates are carried out in order.
func (p *proxy) update(addrs []string, lag time.Duration) {
	p.mu.Lock()
	p.pending++
	p.mu.Unlock()
	p.updates <- update{time.Now().Add(lag), addrs}
}

func (p *proxy) settled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pending == 0
}

// write replaces the rules at once. They apply only to new connections. Without endpoints
// these are refused.
func (p *proxy) write(addrs []string) error {
	chain, rule := "none", "reject"
	if len(addrs) > 0 {
		chain = "services"
		choices := make([]string, len(addrs))
		for i, a := range addrs {
			choices[i] = fmt.Sprintf("%d : %s", i, a)
		}
		rule = fmt.Sprintf("dnat to numgen random mod %d map { %s }", len(addrs), strings.Join(choices, ", "))
	}
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader(fmt.Sprintf(`
table %[1]s play {
	chain services { type nat hook output priority -100; }
	chain none { type filter hook output priority -110; }
}
flush table %[1]s play
add rule %[1]s play %[2]s ct state new %[1]s daddr %[3]s tcp dport %[4]d %[5]s
`, p.family.table, chain, p.family.service, servingPort, rule))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w\n%s", err, out)
	}
	return nil
}

// sleep returns early when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
