package report

import (
	"fmt"

	"github.com/fxshutdown/fxhttp/bench/internal/results"
	"github.com/fxshutdown/fxhttp/bench/internal/subject"
)

// LostPlot draws the lost requests by library and kind of load.
func LostPlot(r *results.Results) string {
	p := plot{
		Title:    "Requests lost when a server is told to stop",
		Subtitle: fmt.Sprintf("sum over %s under each kind of load; – : not offered", plural(r.Settings.Rounds, "stop")),
		Columns:  3,
	}
	shown := func(s subject.Subject) bool {
		for _, c := range r.Lost {
			if c.Subject == s.ID {
				return true
			}
		}
		return false
	}
	p.rows(r, shown)
	for _, l := range r.Loads {
		pan := panel{Title: l.Title}
		for _, row := range p.Rows {
			c := r.LostCell(row.id, l.ID)
			if c == nil {
				pan.Bars = append(pan.Bars, bar{Label: nothing})
				continue
			}
			pan.Bars = append(pan.Bars, bar{Value: float64(c.Lost), Label: fmt.Sprint(c.Lost)})
		}
		p.Panels = append(p.Panels, pan)
	}
	return p.svg()
}

// StopPlot draws the times to exit by library and obstacle.
func StopPlot(r *results.Results) string {
	p := plot{
		Title: "Time from the stop signal to exit, by what is in the way",
		Subtitle: fmt.Sprintf("median of %s, logarithmic; limit %s, stuck handlers %s; slow request: from the last response; – : not offered",
			plural(r.Settings.Rounds, "stop"), seconds(r.Settings.LimitMS), seconds(r.Settings.StuckMS)),
		Columns: 4,
		Log:     true,
		Max:     float64(r.Settings.LimitMS + r.Settings.GraceMS),
	}
	shown := func(s subject.Subject) bool {
		for _, c := range r.Stop {
			if c.Subject == s.ID {
				return true
			}
		}
		return false
	}
	p.rows(r, shown)
	for _, o := range r.Obstacles {
		pan := panel{Title: o.Title}
		for _, row := range p.Rows {
			c := r.StopCell(row.id, o.ID)
			if c == nil {
				pan.Bars = append(pan.Bars, bar{Label: nothing})
				continue
			}
			pan.Bars = append(pan.Bars, bar{Value: c.MS.Median, Label: stopTime(c)})
		}
		p.Panels = append(p.Panels, pan)
	}
	return p.svg()
}

func (p *plot) rows(r *results.Results, shown func(subject.Subject) bool) {
	for _, s := range r.Subjects {
		if !shown(s) {
			continue
		}
		class := s.Runtime
		if s.Ours {
			class = "ours"
		}
		p.Rows = append(p.Rows, row{id: s.ID, Label: s.Name, Class: class})
	}
}
