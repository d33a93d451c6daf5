package drain

import (
	"sync"
	"time"
)

// progressEvery is how often a caller is told where things stand.
const progressEvery = 100 * time.Millisecond

// A reporter calls Config.Progress while a round runs.
type reporter struct {
	round *round

	mu        sync.Mutex // guards what follows
	name      string     // of the phase
	since     time.Time
	recorders []*recorder

	quit chan struct{} // closed by stop
	done chan struct{} // closed when the last call has returned
}

func (r *round) progress() *reporter {
	p := &reporter{round: r, name: "starting", since: time.Now(), quit: make(chan struct{}), done: make(chan struct{})}
	go p.report()
	return p
}

func (p *reporter) phase(name string, recorders []*recorder) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.name, p.since, p.recorders = name, time.Now(), recorders
}

func (p *reporter) report() {
	defer close(p.done)
	cfg := &p.round.check.cfg
	if cfg.Progress == nil {
		return
	}
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	for {
		select {
		case <-p.quit:
			return
		case <-ticker.C:
		}
		p.mu.Lock()
		now := Progress{Round: p.round.Round.Round, Rounds: cfg.Rounds, Phase: p.name, Since: time.Since(p.since)}
		recorders := p.recorders
		p.mu.Unlock()
		for _, rec := range recorders {
			now.Total.add(rec.snapshot())
		}
		cfg.Progress(now)
	}
}

func (p *reporter) stop() {
	close(p.quit)
	<-p.done
}
