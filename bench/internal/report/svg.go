package report

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// A plot is a grid of panels with a bar for each row. All panels of a line share the labels on the left.
type plot struct {
	Title    string
	Subtitle string
	Columns  int  // panels beside one another
	Log      bool // from 1 to Max; otherwise each panel from 0 to its own largest value
	Max      float64
	Rows     []row
	Panels   []panel
}

type row struct {
	id    string
	Label string
	Class string // "ours", "go" or "node"
}

type panel struct {
	Title string
	Bars  []bar // one for each row
}

type bar struct {
	Value float64
	Label string
}

const (
	width     = 960
	margin    = 16
	labels    = 172 // width of the row labels
	gap       = 12  // between panels
	headRoom  = 84  // of title, subtitle and legend
	panelHead = 26
	rowHeight = 19
	barHeight = 11
	barLabel  = 72 // room for the label behind the longest bar
	panelGap  = 18
)

// style is readable on a light and on a dark page: there is no background, and every colour lies in the middle. Colours
// that follow prefers-color-scheme would follow the system's scheme, which need not be that of the page.
const style = `
text { font: 12px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #6e7781 }
.title { font-size: 17px; font-weight: 600 }
.sub, .value { font-size: 11px }
.head, .own { font-weight: 600 }
.axis { stroke: #8c959f; stroke-opacity: 0.5 }
.ours { fill: #2da44e } .go { fill: #4a90d9 } .node { fill: #c98a1b }`

func (p *plot) svg() string {
	panelHeight := panelHead + rowHeight*len(p.Rows)
	lines := (len(p.Panels) + p.Columns - 1) / p.Columns
	height := headRoom + lines*(panelHeight+panelGap)
	panelWidth := (width - 2*margin - labels - gap*(p.Columns-1)) / p.Columns

	var b strings.Builder
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\">\n",
		width, height, width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n<style>%s\n</style>\n", html.EscapeString(p.Title), style)
	text(&b, margin, 28, "title", p.Title)
	text(&b, margin, 48, "sub", p.Subtitle)
	x := margin
	for _, l := range []struct {
		class, text string
		width       int
	}{{"ours", "this repository", 110}, {"go", "Go", 42}, {"node", "Node", 50}} {
		rect(&b, x, 60, 11, 11, l.class, "")
		text(&b, x+16, 70, "sub", l.text)
		x += l.width + 16
	}
	for i, pan := range p.Panels {
		left := margin + labels + i%p.Columns*(panelWidth+gap)
		top := headRoom + i/p.Columns*(panelHeight+panelGap)
		if i%p.Columns == 0 {
			for j, r := range p.Rows {
				class := ""
				if r.Class == "ours" {
					class = "own"
				}
				text(&b, margin, top+panelHead+j*rowHeight+barHeight, class, r.Label)
			}
		}
		p.panel(&b, pan, left, top, panelWidth)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (p *plot) panel(b *strings.Builder, pan panel, left, top, panelWidth int) {
	text(b, left, top+14, "head", pan.Title)
	bottom := top + panelHead + rowHeight*len(p.Rows) - (rowHeight - barHeight) + 2
	fmt.Fprintf(b, "<line class=\"axis\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>\n", left, top+panelHead-3, left, bottom)
	most := p.Max
	if !p.Log {
		for _, v := range pan.Bars {
			most = max(most, v.Value)
		}
	}
	for j, v := range pan.Bars {
		y := top + panelHead + j*rowHeight
		length := p.length(v.Value, most, panelWidth-barLabel)
		if length > 0 {
			rect(b, left, y, length, barHeight, p.Rows[j].Class, fmt.Sprintf("%s, %s: %s", p.Rows[j].Label, pan.Title, v.Label))
		}
		class := "value"
		if p.Rows[j].Class == "ours" {
			class = "own"
		}
		text(b, left+length+5, y+barHeight-1, class, v.Label)
	}
}

// length is how long the bar of a value is, of at most room.
func (p *plot) length(value, most float64, room int) int {
	if value <= 0 || most <= 0 {
		return 0
	}
	share := value / most
	if p.Log {
		share = math.Log10(max(value, 1)) / math.Log10(most)
	}
	// A value that is not zero is always visible.
	return max(2, int(math.Round(share*float64(room))))
}

func text(b *strings.Builder, x, y int, class, s string) {
	if class != "" {
		class = fmt.Sprintf(" class=%q", class)
	}
	fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\"%s>%s</text>\n", x, y, class, html.EscapeString(s))
}

func rect(b *strings.Builder, x, y, w, h int, class, tip string) {
	fmt.Fprintf(b, "<rect class=%q x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"2\"", class, x, y, w, h)
	if tip == "" {
		b.WriteString("/>\n")
		return
	}
	fmt.Fprintf(b, "><title>%s</title></rect>\n", html.EscapeString(tip))
}
