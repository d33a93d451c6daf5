package fxhttpprom_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
	"github.com/fxshutdown/fxhttp/internal/testproc"
	fxhttpprom "github.com/fxshutdown/fxhttp/prom"
)

// tool finds a program of Debian's package prometheus.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is missing: install Debian's package prometheus", name)
		}
		t.Skipf("%s is missing: install Debian's package prometheus", name)
	}
	return path
}

// run runs a tool, for a minute at most.
func run(t *testing.T, stdin string, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, tool(t, name), args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		return
	}
	t.Logf("%s %s:\n%s", name, strings.Join(args, " "), out)
}

func TestPromtool(t *testing.T) {
	t.Run("Rules", func(t *testing.T) { run(t, "", "promtool", "check", "rules", "alerts.yml") })
	t.Run("RuleTests", func(t *testing.T) { run(t, "", "promtool", "test", "rules", "alerts_test.yml") })
	t.Run("Metrics", func(t *testing.T) {
		tool(t, "promtool")
		g := newGate()
		a := startApp(t, api(g, fxhttp.WithDrainTimeout(100*time.Millisecond)), admin(fxhttp.WithShutdownDelay(patience/2)))
		dial(t, a.addr("")).send("/stuck")
		g.awaitBegun(t)
		_, before := a.scrape(t)
		a.beginStop(patience)
		<-a.servers[""].Server.Done()
		_, after := a.scrape(t)
		close(g.opened)
		a.endDelay()
		a.awaitStop(t)
		run(t, before, "promtool", "check", "metrics")
		run(t, after, "promtool", "check", "metrics")
	})
}

// server is a Prometheus that scrapes every interval.
type server struct{ url string }

const interval = 200 * time.Millisecond

// startPrometheus starts one on a free port, with the alert rules, for these targets.
func startPrometheus(t *testing.T, targets ...string) *server {
	t.Helper()
	program := tool(t, "prometheus")
	rules, err := filepath.Abs("alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	list, _ := json.Marshal(targets)
	config := fmt.Sprintf(`
global: {scrape_interval: %[1]v, scrape_timeout: %[1]v, evaluation_interval: %[1]v}
rule_files: [%[2]q]
scrape_configs: [{job_name: service, static_configs: [{targets: %[3]s}]}]
`, interval, rules, list)
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", loopback) // for a port that is free, or was a moment ago
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()

	var log bytes.Buffer
	cmd := exec.Command(program, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := testproc.Start(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stuck := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		defer stuck.Stop()
		testproc.Interrupt(cmd.Process)
		cmd.Wait()
		if t.Failed() {
			t.Logf("Prometheus:\n%s", log.String())
		}
	})
	p := &server{"http://" + addr}
	eventually(t, "Prometheus is ready", func() bool { return p.get("/-/ready", nil) == nil })
	return p
}

// get asks the API, and reads the JSON of its answer into v, unless that is nil.
func (p *server) get(path string, v any) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Get(p.url + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", resp.Status, body)
	}
	if v == nil {
		return nil
	}
	return json.Unmarshal(body, v)
}

// series is one that a query has returned, with its samples.
type series struct {
	Metric map[string]string
	Values [][2]any
}

func (s series) last() float64 {
	v, _ := strconv.ParseFloat(fmt.Sprint(s.Values[len(s.Values)-1][1]), 64)
	return v
}

// query asks an expression for every interval since began.
func (p *server) query(expr string, began time.Time) ([]series, error) {
	var answer struct{ Data struct{ Result []series } }
	err := p.get("/api/v1/query_range?"+url.Values{
		"query": {expr},
		"start": {fmt.Sprint(float64(began.UnixMilli()) / 1000)},
		"end":   {fmt.Sprint(float64(time.Now().UnixMilli()) / 1000)},
		"step":  {fmt.Sprint(interval.Seconds())},
	}.Encode(), &answer)
	if err == nil && len(answer.Data.Result) == 0 {
		err = errors.New("no series")
	}
	return answer.Data.Result, err
}

// A real Prometheus scrapes a service that is stopped in mid-load. Every query of the
// dashboard and of the alert rules finds what it is for, and the last samples are the
// figures of the report.
func TestPrometheus(t *testing.T) {
	tool(t, "prometheus")
	began := time.Now()
	g := newGate()
	a := startApp(t,
		admin(fxhttp.WithShutdownDelay(15*interval)),
		// Stopped second, by force: a request is stuck.
		api(g, fxhttp.WithDrainTimeout(6*interval)),
		// Stopped first, lossy: a hijacked connection is cut. Its delay does not fit, and
		// clients wait.
		api(g, fxhttp.WithName("jobs"), fxhttp.WithShutdownDelay(time.Hour), fxhttp.WithHijackGrace(3*interval), fxhttp.WithMaxConnections(2)))
	killed := startKilled(t)
	p := startPrometheus(t, a.addr("admin"), killed.addr)

	dial(t, a.addr("")).send("/stuck")
	dial(t, a.addr("")).send("/hijacked")
	dial(t, a.addr("jobs")).send("/hijacked")
	for range 3 {
		g.awaitBegun(t)
	}
	dial(t, a.addr("jobs")).get("/")
	dial(t, a.addr("jobs")) // waits
	stopLoad := load(a.addr(""))
	eventually(t, "it has been scraped for a while", func() bool {
		s, err := p.query(`count_over_time(fxhttp_connections_waiting{server="jobs"}[1m]) >= 10`, began)
		return err == nil && len(s) == 1
	})
	a.servers[""].Server.Retire(func(c fxshutdown.ConnInfo) bool { return c.InFlight == 0 })
	eventually(t, "the other service drains", func() bool {
		_, err := p.query(`fxhttp_stop_phase{server="killed",phase="drain"} == 1`, began)
		return err == nil
	})
	killed.end()

	a.beginStop(patience)
	if err := a.awaitStop(t); err == nil {
		t.Error("Stop() = nil, want what was aborted")
	}
	close(g.opened)
	stopLoad()
	eventually(t, "both targets are down", func() bool {
		s, err := p.query("count(up == 0)", began)
		return err == nil && s[0].last() == 2
	})

	t.Run("Dashboard", func(t *testing.T) {
		for _, q := range dashboardQueries(t) {
			found, err := p.query(q.expr, began)
			if err != nil {
				t.Errorf("panel %q: %v: %s", q.title, err, q.expr)
				continue
			}
			t.Logf("panel %q: %d series: %s", q.title, len(found), q.expr)
		}
	})
	t.Run("Alerts", func(t *testing.T) {
		var answer struct {
			Data struct {
				Groups []struct {
					Rules []struct{ Name, Query, Health, LastError string }
				}
			}
		}
		if err := p.get("/api/v1/rules", &answer); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, group := range answer.Data.Groups {
			for _, r := range group.Rules {
				n++
				found, err := p.query(r.Query, began)
				if err != nil || r.Health != "ok" {
					t.Errorf("alert %s: %v, health %s %s: %s", r.Name, err, r.Health, r.LastError, r.Query)
					continue
				}
				t.Logf("alert %s: %d series: %v", r.Name, len(found), found[0].Metric)
			}
		}
		rules, _ := os.ReadFile("alerts.yml")
		if want := strings.Count(string(rules), "- alert:"); n != want || n == 0 {
			t.Errorf("%d alert rules were loaded, of %d", n, want)
		}
	})
	t.Run("Report", func(t *testing.T) {
		for name, s := range map[string]fxhttp.NamedServer{"http": a.servers[""], "jobs": a.servers["jobs"]} {
			wantReport(t, p.lastScrape(t, name, began), name, s.Server.Report(), s.Server.Stats())
		}
	})
}

// lastScrape is what Prometheus knows last of a server, as a scrape.
func (p *server) lastScrape(t *testing.T, server string, began time.Time) scrape {
	t.Helper()
	found, err := p.query(fmt.Sprintf(`{__name__=~"fxhttp_.+", server=%q}`, server), began)
	if err != nil {
		t.Fatal(err)
	}
	s := make(scrape)
	for _, f := range found {
		var labels []string
		for k, v := range f.Metric {
			if k != "__name__" && k != "server" && k != "job" && k != "instance" {
				labels = append(labels, fmt.Sprintf("%s=%q", k, v))
			}
		}
		s[labelled(f.Metric["__name__"]+"{"+strings.Join(labels, ",")+"}", server)] = f.last()
	}
	return s
}

// dashboardQuery is a query of a panel, as Grafana would send it.
type dashboardQuery struct{ title, expr string }

func dashboardQueries(t *testing.T) (qs []dashboardQuery) {
	t.Helper()
	text, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Type, Title string
			Targets     []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name, Type, Definition string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	values := []string{"$__rate_interval", "2s", "$__range", "5m"}
	for _, v := range dashboard.Templating.List {
		values = append(values, "$"+v.Name, ".+")
	}
	replace := strings.NewReplacer(values...)
	for _, v := range dashboard.Templating.List {
		if v.Type != "query" {
			continue
		}
		m := regexp.MustCompile(`^label_values\((.+), (\w+)\)$`).FindStringSubmatch(v.Definition)
		if m == nil {
			t.Fatalf("variable %s: %q is not understood", v.Name, v.Definition)
		}
		qs = append(qs, dashboardQuery{"variable " + v.Name, replace.Replace(fmt.Sprintf("count by (%s) (%s)", m[2], m[1]))})
	}
	for _, p := range dashboard.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q has no query", p.Title)
		}
		for _, target := range p.Targets {
			expr := replace.Replace(target.Expr)
			if strings.Contains(expr, "$") {
				t.Errorf("panel %q: a variable that there is not: %s", p.Title, expr)
			}
			qs = append(qs, dashboardQuery{p.Title, expr})
		}
	}
	return qs
}

// load loads a server until it is told to end.
func load(addr string) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	for i := range 4 {
		clients.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for n := 0; ctx.Err() == nil; n++ {
				path := "/"
				if n%20 == i {
					path = "/panic"
				}
				req, _ := http.NewRequestWithContext(ctx, "GET", "http://"+addr+path, nil)
				if resp, err := client.Do(req); err == nil {
					resp.Body.Close()
				}
				time.Sleep(5 * time.Millisecond) // or, once it has stopped, they would do nothing else
			}
		})
	}
	return func() { cancel(); clients.Wait() }
}

// killed is a service that goes away in the middle of its stop.
type killed struct {
	addr string
	end  func()
}

func startKilled(t *testing.T) *killed {
	t.Helper()
	g := newGate()
	s, err := fxshutdown.New(&http.Server{Addr: loopback, Handler: g}, fxshutdown.Config{Logger: discard{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	dial(t, s.Addr().String()).send("/stuck")
	g.awaitBegun(t)
	c, err := fxhttpprom.NewCollector(fxhttp.NamedServer{Name: "killed", Server: s})
	if err != nil {
		t.Fatal(err)
	}
	r := prometheus.NewRegistry()
	r.MustRegister(c)
	metrics := httptest.NewServer(promhttp.HandlerFor(r, promhttp.HandlerOpts{}))
	stopped := make(chan struct{})
	go func() { defer close(stopped); s.Stop(context.Background()) }()
	t.Cleanup(func() {
		metrics.Close()
		close(g.opened)
		<-stopped
	})
	return &killed{metrics.Listener.Addr().String(), func() {
		metrics.CloseClientConnections()
		metrics.Close()
	}}
}
