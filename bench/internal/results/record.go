package results

import (
	"time"

	"github.com/fxshutdown/fxhttp/bench/internal/load"
	"github.com/fxshutdown/fxhttp/bench/internal/probe"
	"github.com/fxshutdown/fxhttp/bench/internal/steady"
)

// AddLost records a stop under load.
func (r *Results) AddLost(subject, kind string, c load.Counts) {
	cell := r.LostCell(subject, kind)
	if cell == nil {
		cell = &Lost{Subject: subject, Load: kind}
		r.Lost = append(r.Lost, cell)
	}
	cell.Stops = append(cell.Stops, c)
}

// AddStop records a stop with an obstacle.
func (r *Results) AddStop(subject, obstacle string, t probe.Time) {
	cell := r.StopCell(subject, obstacle)
	if cell == nil {
		cell = &Stop{Subject: subject, Obstacle: obstacle}
		r.Stop = append(r.Stop, cell)
	}
	cell.Times = append(cell.Times, t)
}

// AddThroughput records a comparison with the base.
func (r *Results) AddThroughput(subject, base string, t steady.Throughput) {
	cell := r.steadyCell(subject, base)
	cell.Ratios = append(cell.Ratios, t.Ratio)
	cell.Rates = append(cell.Rates, t.Rate)
	cell.CPU = append(cell.CPU, t.CPU)
}

// AddMemory records what a connection holds, and what one of the base held in the same round.
func (r *Results) AddMemory(subject, base string, bytes, baseBytes float64) {
	cell := r.steadyCell(subject, base)
	cell.Bytes = append(cell.Bytes, bytes)
	if baseBytes > 0 {
		cell.More = append(cell.More, bytes/baseBytes)
	}
}

// LostCell returns the cell, nil if nothing was measured.
func (r *Results) LostCell(subject, kind string) *Lost {
	for _, c := range r.Lost {
		if c.Subject == subject && c.Load == kind {
			return c
		}
	}
	return nil
}

// StopCell returns the cell, nil if nothing was measured.
func (r *Results) StopCell(subject, obstacle string) *Stop {
	for _, c := range r.Stop {
		if c.Subject == subject && c.Obstacle == obstacle {
			return c
		}
	}
	return nil
}

// SteadyCell returns the cell, nil if nothing was measured.
func (r *Results) SteadyCell(subject string) *Steady {
	for _, c := range r.Steady {
		if c.Subject == subject {
			return c
		}
	}
	return nil
}

func (r *Results) steadyCell(subject, base string) *Steady {
	cell := r.SteadyCell(subject)
	if cell == nil {
		cell = &Steady{Subject: subject, Base: base}
		r.Steady = append(r.Steady, cell)
	}
	return cell
}

// atLimit is the share of its limit that a stop must take to count as ended by it: we and others cut a little before
// the end, so that there is time left to say so.
const atLimit = 0.85

// LimitReached reports whether a stop was ended by its limit alone.
func (r *Results) LimitReached(o probe.Obstacle, t probe.Time) bool {
	return t.Killed || t.MS >= atLimit*float64(r.Settings.Limit(o))/float64(time.Millisecond)
}

// Enough reports whether a subject used up its limit so often that another stop would show nothing but the same.
func (r *Results) Enough(subject string, o probe.Obstacle) bool {
	cell := r.StopCell(subject, o.ID)
	if cell == nil || r.Settings.Sufficient == 0 {
		return false
	}
	n := 0
	for _, t := range cell.Times {
		if r.LimitReached(o, t) {
			n++
		}
	}
	return n >= r.Settings.Sufficient && n == len(cell.Times)
}

// Sum fills in what follows from the single measurements.
func (r *Results) Sum() {
	for _, c := range r.Lost {
		c.sum()
	}
	for _, c := range r.Stop {
		c.sum()
		for _, o := range r.Obstacles {
			if o.ID == c.Obstacle {
				c.AtLimit = r.LimitReached(o, probe.Time{MS: c.MS.Median})
			}
		}
	}
	for _, c := range r.Steady {
		c.Throughput, c.Rate = Summarize(c.Ratios), Summarize(c.Rates)
		c.Memory, c.PerConn = Summarize(c.More), Summarize(c.Bytes)
	}
}

func (c *Lost) sum() {
	c.Sent, c.Lost, c.Refused, c.Closed, c.Killed = 0, 0, 0, 0, 0
	var lost []float64
	for _, s := range c.Stops {
		c.Sent += s.Sent
		c.Lost += s.Lost
		c.Refused += s.RefusedStreams
		c.Closed += s.ClosedIdle
		if s.Killed {
			c.Killed++
		}
		lost = append(lost, float64(s.Lost))
	}
	c.PerStop = Summarize(lost)
}

func (c *Stop) sum() {
	c.Killed, c.Lost = 0, 0
	var ms []float64
	for _, t := range c.Times {
		if t.Killed {
			c.Killed++
		}
		c.Lost += t.Lost
		ms = append(ms, t.MS)
	}
	c.MS = Summarize(ms)
}
