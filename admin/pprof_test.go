package fxhttpadmin_test

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/admin"
)

func TestPprof(t *testing.T) {
	a := startApp(t, []fxhttpadmin.Option{fxhttpadmin.WithPprof()})
	const (
		gzip   = "\x1f\x8b"
		text   = "text/plain; charset=utf-8"
		binary = "application/octet-stream"
	)
	for _, tt := range []struct {
		path   string
		status int
		begins string
		is     string
	}{
		{"/debug/pprof/", 200, "profile\ntrace\n", text},
		{"/debug/pprof/heap?gc=1", 200, gzip, binary},
		{"/debug/pprof/goroutine", 200, gzip, binary},
		{"/debug/pprof/goroutine?debug=1", 200, "goroutine profile: total ", text},
		{"/debug/pprof/profile?seconds=0.05", 200, gzip, binary},
		{"/debug/pprof/trace?seconds=0.05", 200, "go 1.", binary},
		{"/debug/pprof/profile?seconds=-1", 400, "seconds is not a positive number", text},
		{"/debug/pprof/trace?seconds=soon", 400, "seconds is not a positive number", text},
		{"/debug/pprof/profile?seconds=NaN", 400, "seconds is not a positive number", text},
		{"/debug/pprof/cmdline", 404, "no such profile", text},
		{"/debug/pprof/heap/x", 404, "", text},
	} {
		got := a.get(t, tt.path)
		if is := got.header.Get("Content-Type"); got.status != tt.status || !strings.HasPrefix(got.body, tt.begins) || is != tt.is {
			t.Errorf("%s = %d %s %.40q, want %d %s %q", tt.path, got.status, is, got.body, tt.status, tt.is, tt.begins)
		}
	}
}

// A profile of five minutes does not hold the stop: it ends early, and is complete.
func TestPprofEndsWithTheDrain(t *testing.T) {
	a := startApp(t, []fxhttpadmin.Option{fxhttpadmin.WithPprof()})
	got := make(chan answer, 1)
	go func() { got <- a.get(t, "/debug/pprof/profile?seconds=1e9") }()
	eventually(t, "the profile is being recorded", func() bool {
		stacks := make([]byte, 1<<20)
		return strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), "pprof.profileWriter")
	})
	if second := a.get(t, "/debug/pprof/profile?seconds=0.05"); second.status != http.StatusConflict {
		t.Errorf("a second profile = %d, want 409", second.status)
	}
	began := time.Now()
	if err := a.stop(20 * time.Second); err != nil {
		t.Errorf("Stop() = %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the stop took %v", took)
	}
	if g := <-got; g.status != 200 || !strings.HasPrefix(g.body, "\x1f\x8b") {
		t.Errorf("profile = %d %.20q, want a whole one", g.status, g.body)
	}
}

// The package must not import net/http/pprof, which would publish profiles on every server
// that serves http.DefaultServeMux.
func TestNothingOnTheDefaultServeMux(t *testing.T) {
	w := httptest.NewRecorder()
	http.DefaultServeMux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/debug/pprof/", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("/debug/pprof/ of http.DefaultServeMux = %d, want 404", w.Code)
	}
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.Lines(string(out)) {
		if dep = strings.TrimSpace(dep); dep == "net/http/pprof" || dep == "expvar" {
			t.Errorf("the package imports %s", dep)
		}
	}
}
