package drain

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/process"
)

const (
	// starveAfter is how long a client may wait for its first answer while others get
	// theirs, before it is taken for one that the others keep from being served.
	starveAfter = 2 * time.Second

	// slowWait bounds the wait for slow requests to be under way. If the slow path is not
	// slow, they never all are.
	slowWait = 500 * time.Millisecond
)

// A ramp brings the load of a round under way.
type ramp struct {
	*round
	ctx     context.Context
	p       *process.Process
	members []*member
	running *sync.WaitGroup
}

// start starts the members that are, or are not, obstacles.
func (r *ramp) start(obstacles bool) {
	for _, m := range r.members {
		if m.obstacle == obstacles {
			r.running.Go(func() { m.loop(r.ctx) })
		}
	}
}

// wait waits for done, at most for d, and says whether done ended the wait.
func (r *ramp) wait(done <-chan struct{}, d time.Duration) (bool, error) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return true, nil
	case <-timer.C:
		return false, nil
	case <-r.p.Exited():
		return false, errExited
	case <-r.ctx.Done():
		return false, r.ctx.Err()
	}
}

func closedAfter(wg *sync.WaitGroup) <-chan struct{} {
	ch := make(chan struct{})
	go func() {
		wg.Wait()
		close(ch)
	}()
	return ch
}

// up starts all clients and waits until each has its load under way.
func (r *ramp) up() error {
	r.start(false)
	if err := r.awaitMain(closedAfter(&r.gate.armed)); err != nil {
		return err
	}
	if err := r.broken(); err != nil {
		return err
	}
	return r.obstacles()
}

// awaitMain waits for the main load. Clients that get no answer while others do are given
// up: a server with one thread serves only the connection that it has.
func (r *ramp) awaitMain(armed <-chan struct{}) error {
	cfg := &r.check.cfg
	deadline := time.Now().Add(cfg.Timeout + cfg.Ready)
	// Well before their requests time out, which would count as lost.
	patience := min(starveAfter, cfg.Timeout/2)
	for since := time.Now(); ; {
		done, err := r.wait(armed, 50*time.Millisecond)
		if done || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the load did not get under way within %v", cfg.Timeout+cfg.Ready)
		}
		waited := time.Since(since)
		if waited < patience || !r.hogged() && waited < cfg.Timeout/2 {
			continue
		}
		// A server that answers a newcomer has lost their requests, or takes its time.
		if r.answersNewcomer(patience / 2) {
			since = time.Now()
			continue
		}
		r.giveUpStarved()
	}
}

func (r *ramp) answersNewcomer(d time.Duration) bool {
	ctx, cancel := context.WithTimeout(r.ctx, d)
	defer cancel()
	c := r.check
	if c.onlyHTTP2 {
		return c.tryHTTP2(ctx, c.target, c.dialer) == nil
	}
	return c.tryHTTP1(ctx, c.target, c.dialer) == nil
}

// hogged says whether some clients get many answers. A slow server gives few to anybody.
func (r *ramp) hogged() bool {
	answered, armed := 0, 0
	for _, rec := range r.recorders {
		answered += rec.snapshot().Answered
	}
	for _, m := range r.members {
		if m.armed.Load() && !m.obstacle {
			armed++
		}
	}
	return armed > 0 && answered > 20*armed
}

func (r *ramp) giveUpStarved() {
	all, starved := 0, 0
	for _, m := range r.members {
		if m.obstacle {
			continue
		}
		all++
		if !m.armed.Load() {
			m.giveUp()
			starved++
		}
	}
	if starved == all {
		r.note("no client was answered in time")
		return
	}
	if starved > 0 {
		r.note("%d of %d clients were left out, since they got no answer while others were served: the server serves few connections at a time",
			starved, all)
	}
}

// obstacles starts the connections that ask for nothing. If they keep the server from
// answering others, they are left out: what is lost then is not lost by a stop.
func (r *ramp) obstacles() error {
	if !slices.ContainsFunc(r.members, func(m *member) bool { return m.obstacle }) {
		return nil
	}
	r.start(true)
	patience := min(starveAfter, r.check.cfg.Timeout/2)
	armed, err := r.wait(closedAfter(&r.gate.obstacles), patience)
	if err != nil {
		return err
	}
	if armed {
		goesOn := true
		// More than once: some connections were queued before the obstacles, and are
		// used.
		for i := 0; goesOn && i < 2; i++ {
			if err := r.load(20 * time.Millisecond); err != nil {
				return err
			}
			if goesOn, err = r.progresses(patience); err != nil {
				return err
			}
		}
		if goesOn {
			return nil
		}
	}
	for _, m := range r.members {
		if m.obstacle {
			m.giveUp()
		}
	}
	r.note("silent and half-header connections were left out, since they kept the server from answering other clients, " +
		"as they do where each connection takes a worker (-silent 0 -halfheader 0 leaves them out from the start)")
	_, err = r.progresses(r.check.cfg.Timeout / 2)
	return err
}

// progresses says whether each kind of load that has had answers gets one to a request
// that is sent from now on.
func (r *ramp) progresses(d time.Duration) (bool, error) {
	since := time.Now()
	var watched []*recorder
	for _, rec := range r.recorders {
		rec.mu.Lock()
		if rec.obstacle == nil && rec.ends == nil && rec.want == 0 && rec.counts.Answered > 0 {
			watched = append(watched, rec)
			// A slow server has to be waited for.
			if n := len(rec.before); n > 0 {
				d = max(d, 3*slices.Max(rec.before[max(0, n-20):]))
			}
		}
		rec.mu.Unlock()
	}
	stuck := func(rec *recorder) bool {
		rec.mu.Lock()
		defer rec.mu.Unlock()
		return !rec.newest.After(since)
	}
	for time.Since(since) < d {
		if !slices.ContainsFunc(watched, stuck) {
			return true, nil
		}
		if _, err := r.wait(nil, 5*time.Millisecond); err != nil {
			return false, err
		}
	}
	return false, nil
}

// late lets the late clients connect and waits until slow requests are under way.
func (r *ramp) late() error {
	cfg := &r.check.cfg
	close(r.gate.late)
	connected := closedAfter(&r.gate.lateArmed)
	done, err := r.wait(connected, min(starveAfter, cfg.Timeout/2))
	if err == nil && !done {
		err = r.giveUpLate(connected)
	}
	if err != nil {
		return err
	}
	if err := r.broken(); err != nil {
		return err
	}
	for deadline := time.Now().Add(slowWait); time.Now().Before(deadline); {
		// A slow client may be between two requests right now. It is there for those that
		// are under way.
		if !slices.ContainsFunc(r.recorders, func(rec *recorder) bool { return !rec.underWay() }) {
			break
		}
		if _, err := r.wait(nil, time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// giveUpLate leaves out late clients that could not connect: if the server serves one
// connection at a time, the first client has it.
func (r *ramp) giveUpLate(connected <-chan struct{}) error {
	n := 0
	for _, m := range r.members {
		if strings.HasSuffix(m.rec.name, "late") && !m.late.Load() {
			m.giveUp()
			n++
		}
	}
	r.note("%d late clients were left out, since they could not connect in time", n)
	_, err := r.wait(connected, r.check.cfg.Timeout)
	return err
}

// load loads the server for as long as the load is to last.
func (r *ramp) load(d time.Duration) error {
	_, err := r.wait(nil, d)
	return err
}

func (r *round) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

func (r *round) broken() error {
	for _, rec := range r.recorders {
		if err := rec.brokenBy(); err != nil {
			return err
		}
	}
	return nil
}
