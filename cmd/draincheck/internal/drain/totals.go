package drain

// addTotals merges a round's accounts into those of the check.
func (c *check) addTotals(recorders []*recorder) {
	for _, r := range recorders {
		var t *recorder
		for _, have := range c.totals {
			if have.name == r.name {
				t = have
			}
		}
		if t == nil {
			t = &recorder{name: r.name, clients: r.clients, statuses: Statuses{}, causes: map[Cause]int{}, early: map[Cause]int{}}
			c.totals = append(c.totals, t)
		}
		t.counts.add(r.counts)
		t.statuses.Add(r.statuses)
		for cause, n := range r.causes {
			t.causes[cause] += n
			t.early[cause] += r.early[cause]
		}
		t.before = append(t.before, r.before...)
		t.during = append(t.during, r.during...)
		if r.ends != nil {
			if t.ends == nil {
				t.ends = &Ends{}
			}
			t.ends.add(r.ends)
		}
		if r.obstacle != nil {
			if t.obstacle == nil {
				t.obstacle = &Obstacles{}
			}
			t.obstacle.add(r.obstacle)
		}
	}
}

func (e *Ends) add(o *Ends) {
	e.Opened += o.Opened
	e.PoliteBefore += o.PoliteBefore
	e.CutBefore += o.CutBefore
	e.Polite += o.Polite
	e.EOF += o.EOF
	e.Reset += o.Reset
	e.Open += o.Open
	e.Unframed += o.Unframed
	e.LastEnd = max(e.LastEnd, o.LastEnd)
}

func (o *Obstacles) add(p *Obstacles) {
	o.Held += p.Held
	o.ClosedBefore += p.ClosedBefore
	o.ClosedAfter = append(o.ClosedAfter, p.ClosedAfter...)
	o.Open += p.Open
}
