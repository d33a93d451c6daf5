package fxhttpadmin

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"strconv"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// maxProfile bounds the duration of a CPU profile or a trace.
const maxProfile = 5 * time.Minute

// Pprof returns a handler that serves profiles for "go tool pprof" and "go tool trace".
// Mount it on /debug/pprof/{$} and /debug/pprof/{profile}:
//
//   - profile and trace, for ?seconds= (by default 30 and 1, at most 5 minutes), or until
//     the server drains
//   - every profile of runtime/pprof, such as heap and goroutine, with ?debug= and, for
//     the heap, ?gc=1
//
// It does not use net/http/pprof, which registers its handlers in http.DefaultServeMux as
// soon as a program imports it, and which publishes the command line.
func Pprof() http.Handler {
	return safely(func(w http.ResponseWriter, r *http.Request) {
		switch name := r.PathValue("profile"); name {
		case "":
			writeText(w, http.StatusOK, profileList())
		case "profile":
			record(w, r, name, 30*time.Second, pprof.StartCPUProfile, pprof.StopCPUProfile)
		case "trace":
			record(w, r, name, time.Second, trace.Start, trace.Stop)
		default:
			writeProfile(w, r, pprof.Lookup(name))
		}
	})
}

func profileList() []byte {
	var b bytes.Buffer
	fmt.Fprintln(&b, "profile")
	fmt.Fprintln(&b, "trace")
	for _, p := range pprof.Profiles() {
		fmt.Fprintf(&b, "%s (%d)\n", p.Name(), p.Count())
	}
	return b.Bytes()
}

func writeProfile(w http.ResponseWriter, r *http.Request, p *pprof.Profile) {
	if p == nil {
		http.Error(w, "no such profile", http.StatusNotFound)
		return
	}
	if p.Name() == "heap" && r.URL.Query().Get("gc") == "1" {
		runtime.GC()
	}
	debug, _ := strconv.Atoi(r.URL.Query().Get("debug"))
	if debug != 0 {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	} else {
		attach(w, p.Name())
	}
	p.WriteTo(w, debug) // an error means that the client is gone
}

// record starts a profile that covers a period of time, and stops it after the requested
// time.
func record(w http.ResponseWriter, r *http.Request, name string, lasts time.Duration, start func(io.Writer) error, stop func()) {
	if s := r.URL.Query().Get("seconds"); s != "" {
		seconds, err := strconv.ParseFloat(s, 64)
		if err != nil || !(seconds > 0) { // also rejects NaN
			http.Error(w, "seconds is not a positive number", http.StatusBadRequest)
			return
		}
		lasts = time.Duration(min(seconds, maxProfile.Seconds()) * float64(time.Second))
	}
	if r.Method == http.MethodHead {
		attach(w, name)
		return
	}
	// The WriteTimeout of the server, if any, may be too short. The error, which means that the
	// ResponseWriter has no deadlines, does no harm.
	out := http.NewResponseController(w)
	_ = out.SetWriteDeadline(time.Now().Add(lasts + 10*time.Second))
	defer out.SetWriteDeadline(time.Time{}) // without a WriteTimeout, net/http does not reset it
	attach(w, name)
	if err := start(w); err != nil {
		w.Header().Del("Content-Disposition")
		http.Error(w, "another profile of this kind is already being recorded", http.StatusConflict)
		return
	}
	defer stop()
	sleep(r.Context(), lasts)
}

// sleep ends early when the request ends or its server drains.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-fxshutdown.Draining(ctx):
	}
}

func attach(w http.ResponseWriter, name string) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
}
