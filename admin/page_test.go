package fxhttpadmin_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/admin"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

var withPage = []fxhttpadmin.Option{fxhttpadmin.WithPage()}

// The policy allows the page its own script and style, and nothing from elsewhere.
func TestPagePolicy(t *testing.T) {
	a := startApp(t, withPage)
	got := a.get(t, "/")
	if got.status != 200 || got.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("/ = %d %s", got.status, got.header.Get("Content-Type"))
	}
	policy := got.header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none';", "connect-src 'self';", "base-uri 'none';", "form-action 'none';",
		"frame-ancestors 'none';", "require-trusted-types-for 'script'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("policy = %s, want %s in it", policy, want)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("policy = %s, want nothing unsafe", policy)
	}
	for _, tag := range []string{"script", "style"} {
		elements := regexp.MustCompile(`(?s)<`+tag+`\b[^>]*>(.*?)</`+tag+`>`).FindAllStringSubmatch(got.body, -1)
		if len(elements) != 1 {
			t.Fatalf("the page has %d elements %s, want 1", len(elements), tag)
		}
		sum := sha256.Sum256([]byte(elements[0][1]))
		if want := tag + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
			t.Errorf("policy = %s, want %s in it", policy, want)
		}
	}
	// The page must not contain what the policy would block, or what turns text into
	// markup.
	html := strings.Replace(got.body, `"http://www.w3.org/2000/svg"`, "", 1) // a namespace, not a request
	for _, bad := range []string{"http:", "https:", "//cdn", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(",
		" style=", " onclick=", " onload=", " src=", "import(", "@import", "url("} {
		if strings.Contains(html, bad) {
			t.Errorf("the page has %q in it", bad)
		}
	}
}

// view reads the stream of a page.
type view struct {
	t    *testing.T
	body io.ReadCloser
	in   *bufio.Reader
}

func (a *testApp) view(t *testing.T) *view {
	t.Helper()
	// The client has no timeout, and a connection of its own.
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Get("http://" + a.admin.Addr().String() + "/events")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("/events = %d %v", resp.StatusCode, resp.Header)
	}
	return &view{t, resp.Body, bufio.NewReader(resp.Body)}
}

// told is what the page receives about a server.
type told struct {
	Name     string
	State    string
	Stats    fxshutdown.Stats
	Requests []struct {
		Method, Path, Proto, Remote string
		Age                         *int64
		Stream                      bool
	}
	Stop *struct {
		Elapsed                            int64
		Over, Graceful                     bool
		Phase, Skipped                     string
		Phases                             []struct{ Name string }
		Force, End                         int64
		WaitsFor                           []struct{ Path string } `json:"waits_for"`
		Cancelled, Aborted, HijackedClosed int
	}
}

// next reads the next event. It fails the test if the stream has ended.
func (v *view) next() (event, data string) {
	v.t.Helper()
	event, data, err := v.read()
	if err != nil {
		v.t.Fatalf("the stream ended with %v", err)
	}
	return event, data
}

func (v *view) read() (event, data string, err error) {
	for {
		line, err := v.in.ReadString('\n')
		if err != nil {
			return event, data, err
		}
		switch name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); name {
		case "event":
			event = value
		case "data":
			data = value
		case "":
			return event, data, nil
		}
	}
}

func (v *view) servers(data string) map[string]told {
	v.t.Helper()
	var s struct{ Servers []told }
	if err := json.Unmarshal([]byte(data), &s); err != nil {
		v.t.Fatal(err)
	}
	all := make(map[string]told)
	for _, server := range s.Servers {
		all[server.Name] = server
	}
	return all
}

// until reads events until the servers are as they should be.
func (v *view) until(what string, is func(map[string]told) bool) map[string]told {
	v.t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		if event, data := v.next(); event == "now" {
			if s := v.servers(data); is(s) {
				return s
			}
		}
	}
	v.t.Fatalf("the page was never told: %s", what)
	return nil
}

// The page follows a stop to its end: the phases, the budget, and the names of the requests
// that it waits for. The page's own stream ends with a last event when the admin server
// drains, and not earlier.
func TestPageFollowsAStop(t *testing.T) {
	g := newGate()
	const delay = 2 * time.Second // the page looks once a second
	a := startApp(t, withPage, api(g, fxhttp.WithShutdownDelay(delay)), api(http.NotFoundHandler(), fxhttp.WithName("jobs")))
	v := a.view(t)
	if event, data := v.next(); event != "history" || !strings.Contains(data, `"name":"http"`) || strings.Index(data, `"name":"admin"`) < strings.Index(data, `"name":"jobs"`) {
		t.Errorf("the first event is %s %s, want the history, the admin server last", event, data)
	}
	_, data := v.next()
	if s := v.servers(data); len(s) != 3 || s["http"].State != "serving" || s["http"].Stop != nil {
		t.Errorf("the page received %s, want three servers that serve", data)
	}
	wait := g.hold(t, a.servers[""], "/slow/%3Cscript%3E%0Adata:%20%E2%80%AE"+strings.Repeat("x", 5000)+"?token=secret")
	v.until("the request", func(s map[string]told) bool { return len(s["http"].Requests) == 1 })

	stopped := make(chan error, 1)
	go func() { stopped <- a.stop(10 * time.Second) }()
	s := v.until("the delay", func(s map[string]told) bool { return s["http"].Stop != nil && s["http"].Stop.Phase == "delay" })
	if s["http"].State != "stopping" || s["admin"].State != "serving" || s["jobs"].State != "stopped" {
		t.Errorf("the page received %+v, want http to stop alone", s)
	}
	s = v.until("the drain", func(s map[string]told) bool { return s["http"].Stop.Phase == "drain" })
	stop, r := s["http"].Stop, s["http"].Requests[0]
	if stop.Over || stop.End <= 7000 || stop.End >= 10000 || stop.Force >= stop.End || stop.Force <= 7000 || len(stop.Phases) != 3 || len(stop.WaitsFor) != 1 {
		t.Errorf("the stop is %+v, want three phases, a budget of 10 s less the reserve, and a request", stop)
	}
	if !strings.HasPrefix(r.Path, `/slow/<script>\ndata: \u202exxx`) || len(r.Path) > 256 || r.Method != "GET" || r.Proto != "HTTP/1.1" || r.Age == nil || r.Remote == "" {
		t.Errorf("the request is %+v", r)
	}

	close(g.opened)
	wait()
	for {
		event, data, err := v.read()
		if err != nil {
			t.Fatalf("the stream ended with %v, want a goodbye", err)
		}
		if strings.Contains(data, "secret") {
			t.Errorf("the page was told the query: %s", data)
		}
		if event != "goodbye" {
			continue
		}
		s := v.servers(data)
		if s["http"].State != "stopped" || !s["http"].Stop.Graceful || s["admin"].State != "stopping" {
			t.Errorf("the goodbye is %s, want all others stopped", data)
		}
		break
	}
	if _, _, err := v.read(); err != io.EOF {
		t.Errorf("the stream ended with %v, want EOF", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Stop() = %v", err)
	}
}

// The end of the stop is the one currently known: a DrainTimeout counts from the drain, and
// a caller that joins the stop may have less time.
func TestPageTellsTheEndOfTheStop(t *testing.T) {
	g := newGate()
	a := startApp(t, withPage, api(g, fxhttp.WithDrainTimeout(20*time.Second)))
	v := a.view(t)
	wait := g.hold(t, a.servers[""], "/")
	join := func(timeout time.Duration) (ended chan error) {
		ended = make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), timeout)
			defer cancel()
			ended <- a.servers[""].Stop(ctx)
		}()
		return ended
	}
	first := join(time.Minute)
	v.until("the end by DrainTimeout", func(s map[string]told) bool {
		stop := s["http"].Stop
		return stop != nil && stop.Phase == "drain" && stop.End >= 20_000 && stop.End < 40_000 && stop.Force < stop.End
	})
	second := join(10 * time.Second)
	v.until("the end for the caller that joined", func(s map[string]told) bool { return s["http"].Stop.End < 20_000 })
	close(g.opened)
	wait()
	if err := errors.Join(<-first, <-second); err != nil {
		t.Errorf("Stop() = %v", err)
	}
}

// The page also receives what was cut, and that a server is unready without a stop.
func TestPageTellsForceAndUnready(t *testing.T) {
	g := newGate()
	a := startApp(t, withPage, api(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.begun <- struct{}{}
		<-g.opened // even if the request is cancelled
	})), api(http.NotFoundHandler(), fxhttp.WithName("jobs")))
	a.servers["jobs"].SetUnready("test")
	v := a.view(t)
	v.until("the unready server", func(s map[string]told) bool { return s["jobs"].State == "unready" })
	go http.Get("http://" + a.servers[""].Addr().String() + "/")
	<-g.begun
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := a.servers[""].Stop(ctx); err == nil {
		t.Error("Stop() = nil, want the request aborted")
	}
	close(g.opened)
	s := v.until("the end", func(s map[string]told) bool { return s["http"].State == "stopped" })
	if stop := s["http"].Stop; !stop.Over || stop.Graceful || stop.Aborted != 1 {
		t.Errorf("the stop is %+v, want one request aborted", stop)
	}
}

// Neither a viewer that does not read nor too many viewers hold anything up.
func TestPageViewers(t *testing.T) {
	a := startApp(t, withPage)
	var views []*view
	for range 16 {
		views = append(views, a.view(t))
	}
	if got := a.get(t, "/events"); got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
		t.Errorf("one viewer more = %d %v, want 503 and when to come again", got.status, got.header)
	}
	views[0].body.Close()
	eventually(t, "there is room for another viewer", func() bool {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+a.admin.Addr().String()+"/events", nil)
		resp, err := a.client.Do(req)
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == 200
	})
	began := time.Now()
	if err := a.stop(20 * time.Second); err != nil {
		t.Errorf("Stop() = %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the stop took %v with viewers", took)
	}
}

// The page works below another path, and on a server that is not one of fxshutdown's.
func TestPageMountedElsewhere(t *testing.T) {
	a := startApp(t, nil, api(http.StripPrefix("/ops", fxhttpadmin.NewPage()), fxhttp.WithName("own")))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for path, want := range map[string]string{"/ops/": "text/html; charset=utf-8", "/ops/events": "text/event-stream"} {
		resp, err := client.Get("http://" + a.servers["own"].Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("Content-Type"); got != want {
			t.Errorf("%s has the type %q, want %q", path, got, want)
		}
	}
}

// The page is one file, small enough to read.
func TestPageIsOneFile(t *testing.T) {
	html, err := os.ReadFile("page.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`<html lang="en">`, `name="viewport"`, "prefers-color-scheme: dark", "prefers-reduced-motion", `role="alert"`, `role="progressbar"`, "<caption>", `scope="col"`, "<noscript>"} {
		if !strings.Contains(string(html), want) {
			t.Errorf("page.html has no %s", want)
		}
	}
	if len(html) > 32<<10 {
		t.Errorf("page.html has %d bytes", len(html))
	}
}
