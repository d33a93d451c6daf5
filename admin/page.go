package fxhttpadmin

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// These bound what the page costs. Each look visits every connection of every server.
const (
	lookEvery     = time.Second            // for each viewer
	lookEveryStop = 250 * time.Millisecond // for each viewer, while a server stops
	sampleEvery   = 2 * time.Second        // for the history
	maxSamples    = 150                    // five minutes
	maxViewers    = 16

	// maxWrite is how long the page waits for a viewer that does not read.
	maxWrite = 5 * time.Second
)

//go:embed page.html
var pageHTML []byte

// pagePolicy allows the page its own script and style, its stream, and an empty icon.
var pagePolicy = fmt.Sprintf("default-src 'none'; script-src '%s'; style-src '%s'; connect-src 'self'; img-src data:; "+
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
	hashOf("script"), hashOf("style"))

// hashOf returns the hash of the content of an element of the page, in the form that a
// Content-Security-Policy requires.
func hashOf(element string) string {
	m := regexp.MustCompile(fmt.Sprintf(`(?s)<%s>(.*?)</%[1]s>`, element)).FindSubmatch(pageHTML)
	sum := sha256.Sum256(m[1])
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// Page is a handler that serves the live page and, at a path that ends in /events, the
// stream that feeds it. Mount the handler on a path that ends in a slash, and on "events"
// below that path. It serves at most 16 streams at a time. They end when the server that
// serves them drains; a client that does not read holds the drain for at most 5 s.
type Page struct {
	servers []fxhttp.NamedServer
	html    http.Handler
	stream  http.Handler
	viewers atomic.Int32

	mu      sync.Mutex // guards the fields below
	sampled time.Time  // when the last sample was taken
	history [][]sample // the samples of each server, oldest first
}

// sample is the number of a server's connections in each state: new, active, idle,
// hijacked.
type sample [4]int

// NewPage returns a Page that follows the servers. It records their history while
// [Page.Run] runs, and while somebody has the page open.
func NewPage(servers ...fxhttp.NamedServer) *Page {
	p := &Page{servers: sorted(servers), history: make([][]sample, len(servers))}
	// Whoever opens the page is interested in the other servers first.
	if i := slices.IndexFunc(p.servers, func(s fxhttp.NamedServer) bool { return s.Name == name }); i >= 0 {
		p.servers = append(slices.Delete(slices.Clone(p.servers), i, i+1), p.servers[i])
	}
	p.html = safely(p.serveHTML)
	p.stream = safely(p.serveStream)
	return p
}

// Run samples the connections every two seconds until ctx ends, so that the page can show
// the last five minutes when it is opened. Each sample visits every connection.
func (p *Page) Run(ctx context.Context) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		p.sample()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// sample adds a sample to the history if one is due.
func (p *Page) sample() {
	now := time.Now()
	p.mu.Lock()
	due := now.Sub(p.sampled) > sampleEvery*3/4 // a ticker may be early
	if due {
		p.sampled = now
	}
	p.mu.Unlock()
	if !due {
		return
	}
	latest := make([]sample, len(p.servers))
	for i, s := range p.servers {
		stats := s.Server.Stats()
		latest[i] = sample{stats.New, stats.Active, stats.Idle, stats.Hijacked}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.history {
		h := append(p.history[i], latest[i])
		p.history[i] = h[max(len(h)-maxSamples, 0):]
	}
}

// past is the history in the form in which the page receives it, once.
type past struct {
	Every   int64        `json:"every"` // milliseconds between samples
	Age     int64        `json:"age"`   // of the last sample, in milliseconds
	Servers []serverPast `json:"servers"`
}

type serverPast struct {
	Name    string   `json:"name"`
	Samples []sample `json:"samples"`
}

func (p *Page) past() past {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := past{Every: sampleEvery.Milliseconds(), Age: time.Since(p.sampled).Milliseconds()}
	for i, s := range p.servers {
		all.Servers = append(all.Servers, serverPast{nameOf(s), append([]sample{}, p.history[i]...)})
	}
	return all
}

// ServeHTTP serves the page, or its stream.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if path.Base(r.URL.Path) == "events" {
		p.stream.ServeHTTP(w, r)
		return
	}
	p.html.ServeHTTP(w, r)
}

func (p *Page) serveHTML(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	w.Write(pageHTML) // an error means that the client is gone
}

func (p *Page) serveStream(w http.ResponseWriter, r *http.Request) {
	if p.viewers.Add(1) > maxViewers {
		p.viewers.Add(-1)
		w.Header().Set("Retry-After", "5")
		http.Error(w, fmt.Sprintf("too many viewers: the page serves at most %d at a time", maxViewers), http.StatusServiceUnavailable)
		return
	}
	defer p.viewers.Add(-1)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	if r.Method == http.MethodHead {
		return
	}
	out := http.NewResponseController(w)
	defer out.SetWriteDeadline(time.Time{}) // without a WriteTimeout, net/http does not reset it
	send := func(event string, v any) error {
		data, err := json.Marshal(v)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", event, data)
		// The error, which means that the ResponseWriter has no deadlines, does no harm.
		_ = out.SetWriteDeadline(time.Now().Add(maxWrite))
		if _, err := w.Write(b.Bytes()); err != nil {
			return err
		}
		return out.Flush()
	}

	p.sample()
	err := send("history", p.past())
	for err == nil {
		p.sample()
		now := look(p.servers)
		if err = send("now", now); err != nil {
			return
		}
		next := time.NewTimer(now.lookAgainIn())
		select {
		case <-next.C:
		case <-fxshutdown.Draining(r.Context()):
			next.Stop()
			// An error means that the viewer is gone.
			_ = send("goodbye", look(p.servers))
			return
		case <-r.Context().Done():
			next.Stop()
			return
		}
	}
}

// lookAgainIn returns the time until the page is due for its next update.
func (s snapshot) lookAgainIn() time.Duration {
	for _, server := range s.Servers {
		if server.State == stateStopping {
			return lookEveryStop
		}
	}
	return lookEvery
}
