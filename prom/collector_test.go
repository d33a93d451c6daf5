package fxhttpprom_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/fxshutdown/fxhttp"
	fxhttpadmin "github.com/fxshutdown/fxhttp/admin"
	"github.com/fxshutdown/fxhttp/fxshutdown"
	fxhttpprom "github.com/fxshutdown/fxhttp/prom"
)

// A scrape before, during and after a stop, and what it says of each.
func TestScrapes(t *testing.T) {
	for _, tt := range []struct {
		name    string
		opts    []fxhttp.Option
		release bool // what is held ends by itself
		want    map[string]int
	}{
		{"Graceful", nil, true, map[string]int{
			`fxhttp_stop_result{result="graceful"}`:                     1,
			`fxhttp_stop_requests_total{result="answered"}`:             2,
			`fxhttp_stop_requests_total{result="aborted"}`:              0,
			`fxhttp_stop_phase_result{phase="drain",result="complete"}`: 1,
			`fxhttp_stop_hijacked_closed_total`:                         0,
		}},
		{"Forced", []fxhttp.Option{fxhttp.WithDrainTimeout(1500 * time.Millisecond)}, false, map[string]int{
			`fxhttp_stop_result{result="forced"}`:                         1,
			`fxhttp_stop_requests_total{result="answered"}`:               0,
			`fxhttp_stop_requests_total{result="aborted"}`:                2,
			`fxhttp_stop_phase_result{phase="drain",result="incomplete"}`: 1,
			`fxhttp_stop_phase_result{phase="force",result="incomplete"}`: 1,
			`fxhttp_stop_hijacked_closed_total`:                           1,
			`fxhttp_stop_requests_waited_for_total`:                       3,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGate()
			// The stop is over before it has returned: it waits for a Logger that is slow.
			slow := logger(func(e fxshutdown.Event) {
				if _, ok := e.(*fxshutdown.Stopped); ok {
					time.Sleep(100 * time.Millisecond)
				}
			})
			a := startApp(t, api(g, append(tt.opts, fxhttp.WithLogger(slow))...), admin(fxhttp.WithShutdownDelay(patience/2)))
			server := a.servers[""].Server

			for range 3 {
				if err := dial(t, a.addr("")).get("/"); err != nil {
					t.Fatal(err)
				}
			}
			dial(t, a.addr("")).get("/panic")
			hijacked, held, stuck := dial(t, a.addr("")), dial(t, a.addr("")), dial(t, a.addr(""))
			for c, path := range map[*client]string{hijacked: "/hijacked", held: "/held", stuck: "/stuck"} {
				c.send(path)
				g.awaitBegun(t)
			}
			dial(t, a.addr("")) // says nothing
			eventually(t, "all connections are there", func() bool {
				s := server.Stats()
				return s.New == 1 && s.Active == 2 && s.Idle == 3 && s.Hijacked == 1 && s.Closed == 1
			})

			show := func(when string) scrape {
				t.Helper()
				s, text := a.scrape(t)
				t.Logf("%s the stop:\n%s", when, linesOf(text, "http"))
				return s
			}
			s := show("before")
			s.want(t, "before", "http", map[string]int{
				"fxhttp_ready":                    1,
				`fxhttp_connections{state="new"}`: 1, `fxhttp_connections{state="active"}`: 2,
				`fxhttp_connections{state="idle"}`: 3, `fxhttp_connections{state="hijacked"}`: 1,
				"fxhttp_connections_accepted_total":               8,
				`fxhttp_connections_closed_total{reason="other"}`: 1, `fxhttp_connections_closed_total{reason="idle"}`: 0,
				`fxhttp_connections_retired_total{reason="age"}`: 0,
				"fxhttp_requests_in_flight":                      3, "fxhttp_requests_undecided": 2,
				`fxhttp_requests_total{result="answered"}`: 3, `fxhttp_requests_total{result="failed"}`: 1,
				`fxhttp_requests_total{result="hijacked"}`: 1, `fxhttp_requests_total{result="aborted"}`: 0,
				`fxhttp_stop_phase{phase="drain"}`: 0, "fxhttp_stop_duration_seconds": 0,
				`fxhttp_stop_requests_total{result="answered"}`: 0, "fxhttp_stop_idle_closed_total": 0,
			})
			s.wantNone(t, "before", "http", "fxhttp_stop_result", "fxhttp_stop_phase_result", "fxhttp_stop_phase_duration_seconds",
				"fxhttp_stop_start_timestamp_seconds", "fxhttp_stop_force_timestamp_seconds", "fxhttp_stop_limit_timestamp_seconds")

			a.beginStop(patience)
			eventually(t, "the idle connections are dropped", func() bool { return server.Report().IdleClosed == 4 })
			s = show("during")
			s.want(t, "during", "http", map[string]int{
				"fxhttp_ready":                    0,
				`fxhttp_connections{state="new"}`: 0, `fxhttp_connections{state="active"}`: 2,
				`fxhttp_connections{state="idle"}`: 0, `fxhttp_connections{state="hijacked"}`: 1,
				"fxhttp_requests_in_flight": 3, "fxhttp_requests_undecided": 2,
				`fxhttp_stop_phase{phase="drain"}`: 1, `fxhttp_stop_phase{phase="listener"}`: 0,
				"fxhttp_stop_idle_closed_total": 4,
			})
			s.wantNone(t, "during", "http", "fxhttp_stop_result", "fxhttp_stop_phase_result")
			now := float64(time.Now().Unix())
			if at := s[`fxhttp_stop_force_timestamp_seconds{server="http"}`]; at < now-1 || at > now+patience.Seconds() {
				t.Errorf("the force is at %v, and now it is %v", at, now)
			}
			if limit, at := s[`fxhttp_stop_limit_timestamp_seconds{server="http"}`], s[`fxhttp_stop_force_timestamp_seconds{server="http"}`]; limit <= at {
				t.Errorf("the limit is at %v, before the force at %v", limit, at)
			}
			if d := s[`fxhttp_stop_duration_seconds{server="http"}`]; d <= 0 || d > patience.Seconds() {
				t.Errorf("the stop has taken %v s so far", d)
			}
			if s[`fxhttp_stop_phase_duration_seconds{phase="listener",server="http"}`] <= 0 {
				t.Error("the phase that is over has no duration")
			}

			if tt.release {
				close(g.opened)
				hijacked.Close()
				for _, c := range []*client{held, stuck} {
					if err := c.await(); err != nil {
						t.Error(err)
					}
				}
			}
			<-server.Done()
			s = show("after") // the admin server is in its delay
			s.want(t, "after", "http", tt.want)
			s.wantNone(t, "after", "http", "fxhttp_stop_force_timestamp_seconds", "fxhttp_stop_limit_timestamp_seconds")
			wantReport(t, s, "http", server.Report(), server.Stats())
			if !tt.release {
				close(g.opened)
			}
			a.endDelay()
			if err := a.awaitStop(t); (err == nil) != tt.release {
				t.Errorf("Stop() = %v", err)
			}
		})
	}
}

// linesOf are the lines of a scrape about one server.
func linesOf(text, server string) (lines string) {
	for line := range strings.Lines(text) {
		if strings.Contains(line, fmt.Sprintf("server=%q", server)) {
			lines += line
		}
	}
	return lines
}

// wantReport compares each figure of a stop that is over, and the account behind it.
func wantReport(t *testing.T, s scrape, server string, r fxshutdown.Report, st fxshutdown.Stats) {
	t.Helper()
	want := map[string]float64{
		"fxhttp_ready":                                    0,
		`fxhttp_connections{state="new"}`:                 float64(st.New),
		`fxhttp_connections{state="active"}`:              float64(st.Active),
		`fxhttp_connections{state="idle"}`:                float64(st.Idle),
		`fxhttp_connections{state="hijacked"}`:            float64(st.Hijacked),
		"fxhttp_connections_accepted_total":               float64(st.Accepted),
		`fxhttp_connections_closed_total{reason="idle"}`:  float64(st.IdleClosed),
		`fxhttp_connections_closed_total{reason="cut"}`:   float64(st.Cut),
		`fxhttp_connections_closed_total{reason="other"}`: float64(st.Closed - st.IdleClosed - st.Cut),
		"fxhttp_requests_undecided":                       float64(r.Undecided),
		`fxhttp_requests_total{result="answered"}`:        float64(r.Served),
		`fxhttp_requests_total{result="failed"}`:          float64(st.Failed),
		`fxhttp_requests_total{result="ended"}`:           float64(st.Ended),
		`fxhttp_requests_total{result="hijacked"}`:        float64(st.Hijacks),
		`fxhttp_requests_total{result="aborted"}`:         float64(st.Aborted),
		"fxhttp_stop_duration_seconds":                    r.Duration.Seconds(),
		"fxhttp_stop_start_timestamp_seconds":             float64(r.Began.UnixNano()) / 1e9,
		`fxhttp_stop_requests_total{result="answered"}`:   float64(r.Answered),
		`fxhttp_stop_requests_total{result="failed"}`:     float64(r.Failed),
		`fxhttp_stop_requests_total{result="ended"}`:      float64(r.Ended),
		`fxhttp_stop_requests_total{result="hijacked"}`:   float64(r.Hijacks),
		`fxhttp_stop_requests_total{result="aborted"}`:    float64(r.Aborted),
		"fxhttp_stop_requests_unbegun_total":              float64(r.Unbegun),
		"fxhttp_stop_requests_cancelled_total":            float64(r.Cancelled),
		"fxhttp_stop_requests_waited_for_total":           float64(r.WaitedFor),
		"fxhttp_stop_connections_queued_total":            float64(r.Queued),
		"fxhttp_stop_connections_unaccepted_total":        float64(r.Unaccepted),
		"fxhttp_stop_idle_closed_total":                   float64(r.IdleClosed),
		"fxhttp_stop_hijacked_closed_total":               float64(r.HijackedClosed),
		"fxhttp_stop_handshakes_unfinished_total":         float64(r.Handshakes),
	}
	for _, p := range r.Phases {
		want[fmt.Sprintf("fxhttp_stop_phase_duration_seconds{phase=%q}", p.Name)] = p.Duration.Seconds()
	}
	for _, name := range []string{"delay", "announce", "listener", "drain", "force"} {
		want[fmt.Sprintf("fxhttp_stop_phase{phase=%q}", name)] = 0
	}
	for series, want := range want {
		key := labelled(series, server)
		if got, ok := s[key]; !ok || got != want {
			t.Errorf("after: %s = %v (there: %v), want %v, as in the report", key, got, ok, want)
		}
	}
}

// Each reason for which a connection retires while the server serves.
func TestRetired(t *testing.T) {
	for _, tt := range []struct {
		reason string
		opt    fxhttp.Option
		retire bool
	}{
		{"age", fxhttp.WithMaxConnectionAge(50 * time.Millisecond), false},
		{"requests", fxhttp.WithConfig(fxhttp.Config{MaxRequestsPerConnection: 1}), false},
		{"chosen", fxhttp.WithMaxConnectionAge(time.Hour), true},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			a := startApp(t, fxhttp.Module(fxhttp.WithHandler(http.NotFoundHandler()), tt.opt),
				fxhttp.ProvideOption(func() fxhttp.Option { return fxhttp.WithAddr(loopback) }))
			server := a.servers[""].Server
			if err := dial(t, a.addr("")).get("/"); err != nil {
				t.Fatal(err)
			}
			if tt.retire {
				server.Retire(func(fxshutdown.ConnInfo) bool { return true })
			}
			eventually(t, "the connection retires", func() bool { return server.Stats().Retired == 1 })
			want := map[string]int{
				`fxhttp_connections_retired_total{reason="age"}`: 0, `fxhttp_connections_retired_total{reason="requests"}`: 0,
				`fxhttp_connections_retired_total{reason="chosen"}`: 0,
			}
			want[fmt.Sprintf("fxhttp_connections_retired_total{reason=%q}", tt.reason)] = 1
			s, _ := a.scrape(t)
			s.want(t, "now", "http", want)
		})
	}
}

// Counters never fall, and each scrape balances, while a server is loaded and stopped.
func TestScrapesUnderLoad(t *testing.T) {
	for round := range 4 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			server, err := fxshutdown.New(&http.Server{Addr: loopback, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/panic":
					panic(http.ErrAbortHandler)
				case "/slow":
					select {
					case <-r.Context().Done():
						panic(http.ErrAbortHandler)
					case <-time.After(time.Second):
					}
				}
			})}, fxshutdown.Config{IdleGrace: 10 * time.Millisecond, DrainTimeout: 200 * time.Millisecond, Logger: discard{}})
			if err != nil {
				t.Fatal(err)
			}
			if err := server.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			c, err := fxhttpprom.NewCollector(fxhttp.NamedServer{Server: server})
			if err != nil {
				t.Fatal(err)
			}
			registry := prometheus.NewPedanticRegistry()
			registry.MustRegister(c)
			metrics := promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError})

			var clients, scrapers sync.WaitGroup
			for i := range 8 {
				clients.Go(func() {
					client := &http.Client{Transport: &http.Transport{DisableKeepAlives: i%2 == 0}}
					defer client.CloseIdleConnections()
					paths := []string{"/", "/", "/panic", "/", "/slow"}
					for n := 0; ; n++ {
						resp, err := client.Get("http://" + server.Addr().String() + paths[(n+i)%len(paths)])
						if err == nil {
							io.Copy(io.Discard, resp.Body)
							resp.Body.Close()
						}
						select {
						case <-server.Done():
							return
						default:
						}
					}
				})
			}
			ended := make(chan struct{})
			for range 2 {
				scrapers.Go(func() {
					last := scrape{}
					for over := false; !over; {
						select {
						case <-ended:
							over = true // after this one
						default:
						}
						w := httptest.NewRecorder()
						metrics.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
						if w.Code != http.StatusOK {
							t.Errorf("scrape: %d %s", w.Code, w.Body)
							return
						}
						s := parse(w.Body.String())
						balances(t, s)
						for series, value := range last {
							if name, _, _ := strings.Cut(series, "{"); strings.HasSuffix(name, "_total") && s[series] < value {
								t.Errorf("%s fell from %v to %v", series, value, s[series])
							}
						}
						last = s
					}
					wantReport(t, last, "http", server.Report(), server.Stats())
				})
			}
			time.Sleep(100 * time.Millisecond) // of load
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			server.Stop(ctx)
			clients.Wait()
			eventually(t, "what the stop has cut is gone", func() bool { st := server.Stats(); return st.InFlight == 0 && st.Undecided == 0 })
			close(ended)
			scrapers.Wait()
		})
	}
}

// balances checks that a scrape is of one moment.
func balances(t *testing.T, s scrape) {
	t.Helper()
	sum := func(name, with string) (v float64) {
		for series, value := range s {
			if strings.HasPrefix(series, name+"{") && strings.Contains(series, with) {
				v += value
			}
		}
		return v
	}
	if a, c, o := sum("fxhttp_connections_accepted_total", ""), sum("fxhttp_connections_closed_total", ""), sum("fxhttp_connections", ""); a != c+o {
		t.Errorf("%v connections were accepted, %v closed, and %v are open", a, c, o)
	}
	for _, result := range []string{"answered", "failed", "ended", "hijacked", "aborted"} {
		with := fmt.Sprintf("result=%q", result)
		if stop, all := sum("fxhttp_stop_requests_total", with), sum("fxhttp_requests_total", with); stop > all {
			t.Errorf("%v requests %s in the stop, and %v in all", stop, result, all)
		}
	}
}

// promlint finds nothing, before a stop and after one in which every metric has a series.
func TestLint(t *testing.T) {
	g := newGate()
	a := startApp(t, admin(fxhttp.WithShutdownDelay(patience/2)),
		api(g, fxhttp.WithDrainTimeout(300*time.Millisecond)),
		api(g, fxhttp.WithName("jobs"), fxhttp.WithShutdownDelay(time.Hour)))
	dial(t, a.addr("jobs")).get("/")
	dial(t, a.addr("")).send("/stuck")
	g.awaitBegun(t)

	seen := make(map[string]bool)
	lint := func(when string) {
		t.Helper()
		s, text := a.scrape(t)
		problems, err := promlint.New(strings.NewReader(text)).Lint()
		if err != nil || len(problems) > 0 {
			t.Errorf("promlint %s: %v, %v", when, problems, err)
		}
		t.Logf("promlint %s: %d series, %d problems", when, len(s), len(problems))
		for series := range s {
			name, _, _ := strings.Cut(series, "{")
			seen[name] = true
		}
	}
	lint("before the stop")
	a.beginStop(patience)
	<-a.servers[""].Server.Draining()
	lint("during the stop")
	<-a.servers[""].Server.Done()
	lint("after the stop")
	close(g.opened)
	a.endDelay()
	a.awaitStop(t)
	if described := describedNames(t); !slices.Equal(described, slices.Sorted(maps.Keys(seen))) {
		t.Errorf("described are %q, scraped were %q", described, slices.Sorted(maps.Keys(seen)))
	}
}

// describedNames are the names of all metrics.
func describedNames(t *testing.T) (names []string) {
	t.Helper()
	server, err := fxshutdown.New(&http.Server{}, fxshutdown.Config{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := fxhttpprom.NewCollector(fxhttp.NamedServer{Server: server})
	if err != nil {
		t.Fatal(err)
	}
	ch := make(chan *prometheus.Desc, 100)
	c.Describe(ch)
	close(ch)
	for d := range ch {
		_, name, _ := strings.Cut(d.String(), `fqName: "`)
		name, _, _ = strings.Cut(name, `"`)
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestNewCollector(t *testing.T) {
	server, err := fxshutdown.New(&http.Server{}, fxshutdown.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if fxhttpprom.Unnamed != fxhttpadmin.Unnamed {
		t.Errorf("a server without a name is %q here and %q there", fxhttpprom.Unnamed, fxhttpadmin.Unnamed)
	}
	for _, tt := range []struct {
		name    string
		servers []fxhttp.NamedServer
		want    string
	}{
		{"None", nil, "there is no server"},
		{"Nil", []fxhttp.NamedServer{{Name: "api"}}, `the server "api" is nil`},
		{"Twice", []fxhttp.NamedServer{{Name: "api", Server: server}, {Name: "api", Server: server}}, `two servers are called "api"`},
		{"Unnamed", []fxhttp.NamedServer{{Server: server}, {Name: "http", Server: server}}, `two servers are called "http"`},
		{"NotUTF8", []fxhttp.NamedServer{{Name: "\xff", Server: server}}, `the name "\xff" is not UTF-8`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := fxhttpprom.NewCollector(tt.servers...)
			wantError(t, err, "fxhttpprom: ", tt.want)
		})
	}
}
