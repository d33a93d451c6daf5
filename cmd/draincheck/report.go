package main

import (
	"bytes"
	"fmt"
	"html/template"
	"os"
	"strings"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/drain"
)

// Measures of the drawing, in pixels.
const (
	chartWidth  = 960
	chartHeight = 200
	chartLeft   = 60
	chartTop    = 30
	chartBottom = 40
)

// writeReport writes an HTML page, or, to an .svg file, the timelines alone. Neither
// loads anything from elsewhere.
func writeReport(name string, res *drain.Result) error {
	var b bytes.Buffer
	if strings.HasSuffix(strings.ToLower(name), ".svg") {
		drawSVG(&b, res.Rounds)
	} else if err := reportPage.Execute(&b, page(res)); err != nil {
		return fmt.Errorf("-report: %w", err)
	}
	if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("-report: %w", err)
	}
	return nil
}

type pageData struct {
	*drain.Result
	Title, Headline, Text string
	Charts                template.HTML
}

func page(res *drain.Result) pageData {
	var text, charts bytes.Buffer
	writeTable(&text, res, false)
	drawSVG(&charts, res.Rounds)
	return pageData{Result: res, Title: "draincheck: " + res.Verdict, Headline: headline(res), Text: text.String(),
		Charts: template.HTML(charts.String())}
}

var reportPage = template.Must(template.New("report").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Title}}</title>
<style>
body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:1100px;padding:0 1em;color:#222;background:#fff}
h1 b{padding:.1em .5em;border-radius:.2em;color:#fff;background:#c0272d;text-transform:uppercase}
h1 b.pass{background:#2f7d4f}
pre{overflow-x:auto;background:#f6f6f4;padding:1em;font-size:12px;line-height:1.35}
table{border-collapse:collapse}td,th{padding:.3em .8em;border-bottom:1px solid #ddd;text-align:left;vertical-align:top}
svg{max-width:100%;height:auto}
</style></head><body>
<h1>draincheck <b class="{{.Verdict}}">{{.Verdict}}</b></h1>
<p>{{.Headline}}</p>
{{with .Error}}<pre>{{.}}</pre>{{end}}
{{.Charts}}
{{if .Causes}}<h2>Requests without an answer</h2>
<table><tr><th>number</th><th>cause</th><th>what it means</th><th>what helps</th></tr>
{{range .Causes}}<tr><td>{{.Count}}</td><td>{{.Cause}}</td><td>{{.Means}}</td><td>{{.Hint}}</td></tr>
{{end}}</table>{{end}}
<h2>All figures</h2>
<pre>{{.Text}}</pre>
</body></html>
`))

// drawSVG draws the timelines of all rounds, one below the other.
func drawSVG(b *bytes.Buffer, rounds []drain.Round) {
	shown := 0
	for _, r := range rounds {
		if r.Timeline != nil && len(r.Timeline.Buckets) > 0 {
			shown++
		}
	}
	shown = min(shown, shownRounds)
	one := chartTop + chartHeight + chartBottom
	height := shown*one + 30
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n",
		chartLeft+chartWidth+20, height, chartLeft+chartWidth+20, height)
	x := chartLeft
	for _, s := range allSeries {
		fmt.Fprintf(b, `<rect x="%d" y="8" width="12" height="12" fill="%s"/><text x="%d" y="19">%s</text>`+"\n", x, s.color, x+16, s.name)
		x += 40 + 8*len(s.name)
	}
	i := 0
	for _, r := range rounds {
		if r.Timeline == nil || len(r.Timeline.Buckets) == 0 || i == shown {
			continue
		}
		fmt.Fprintf(b, `<g transform="translate(0 %d)">`, 30+i*one)
		drawTimeline(b, r.Timeline, chartTitle(&r))
		b.WriteString("</g>\n")
		i++
	}
	b.WriteString("</svg>\n")
}

func chartTitle(r *drain.Round) string {
	if len(r.Steps) > 0 {
		return "rollout: " + r.Verdict
	}
	return fmt.Sprintf("round %d: %s", r.Round, r.Verdict)
}

// drawTimeline draws stacked bars, a mark for each thing that happened, and a time axis.
// Refused connections would dwarf the rest, so that a bar shows as many as fit.
func drawTimeline(b *bytes.Buffer, t *drain.Timeline, title string) {
	most := 1
	for _, bucket := range t.Buckets {
		most = max(most, stacked(bucket)-bucket.Refused)
	}
	width := float64(chartWidth) / float64(len(t.Buckets))
	scale := float64(chartHeight) / float64(most)
	base := chartTop + chartHeight
	fmt.Fprintf(b, `<text x="%d" y="14" font-weight="bold">%s</text>`, chartLeft, template.HTMLEscapeString(title))
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%d</text><text x="%d" y="%d" text-anchor="end">0</text>`+"\n",
		chartLeft-6, chartTop+10, most, chartLeft-6, base)
	for i, bucket := range t.Buckets {
		y := float64(base)
		x := float64(chartLeft) + float64(i)*width
		// Bad news first, so that they stand on the axis, where one request is seen.
		for k := len(allSeries) - 1; k >= 0; k-- {
			n := allSeries[k].of(bucket)
			if n == 0 {
				continue
			}
			h := float64(n) * scale
			if k > 0 {
				h = max(h, 3)
			}
			h = min(h, y-chartTop)
			y -= h
			fmt.Fprintf(b, `<rect x="%.2f" y="%.2f" width="%.2f" height="%.2f" fill="%s"><title>%.1f s: %d %s</title></rect>`,
				x, y, max(width-0.3, 0.5), h, allSeries[k].color, float64(i*t.TickMS)/1000, n, allSeries[k].name)
		}
	}
	fmt.Fprintf(b, "\n"+`<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="#333"/>`, chartLeft, base, chartLeft+chartWidth, base)
	seconds := float64(len(t.Buckets)*t.TickMS) / 1000
	step := axisStep(seconds)
	for k := 0; float64(k)*step <= seconds; k++ {
		s := float64(k) * step
		x := chartLeft + s/seconds*chartWidth
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%.4g s</text>`, x, base+16, s)
	}
	for i, m := range t.Marks {
		x := chartLeft + float64(m.At)/1000/seconds*chartWidth
		fmt.Fprintf(b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#333" stroke-dasharray="3 3"/><text x="%.1f" y="%d" font-size="10" stroke="#fff" stroke-width="3" paint-order="stroke">%s</text>`+"\n",
			x, chartTop, x, base, x+2, chartTop+10+12*(i%3), template.HTMLEscapeString(m.What))
	}
}

func stacked(b drain.Bucket) int {
	n := 0
	for _, s := range allSeries {
		n += s.of(b)
	}
	return n
}

// axisStep is the time between two labels: at most twelve of them fit.
func axisStep(seconds float64) float64 {
	for _, s := range []float64{0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600} {
		if seconds/s <= 12 {
			return s
		}
	}
	return 1200
}
