package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
	"go.uber.org/zap"
)

// api answers the requests of the service.
type api struct {
	db   *database
	log  *zap.Logger
	work time.Duration // of a report
}

// newAPI returns the constructor of the handler. Because the handler comes from the graph,
// the database starts before the server and stops after it.
func newAPI(work time.Duration) func(*database, *zap.Logger) http.Handler {
	return func(db *database, log *zap.Logger) http.Handler {
		a := &api{db: db, log: log, work: work}
		mux := http.NewServeMux()
		mux.HandleFunc("GET /items/{name}", a.item)
		mux.HandleFunc("/report", a.report)
		mux.HandleFunc("GET /events", a.events)
		mux.HandleFunc("GET /clock", a.clock)
		mux.HandleFunc("POST /upload", a.upload)
		return mux
	}
}

// item answers at once.
func (a *api) item(w http.ResponseWriter, r *http.Request) {
	item, err := a.db.item(r.PathValue("name"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	writeJSON(w, a.log, item)
}

// report takes a while, and queries the database at the end.
func (a *api) report(w http.ResponseWriter, r *http.Request) {
	select {
	case <-time.After(a.work):
	case <-r.Context().Done():
		// The client has gone away, or the stop has run out of time.
		http.Error(w, "not finished", http.StatusServiceUnavailable)
		return
	}
	n, err := a.db.count()
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	writeJSON(w, a.log, map[string]int{"items": n})
}

// events is a stream that would never end by itself. It says goodbye when the drain
// begins.
func (a *api) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for n := 1; ; n++ {
		fmt.Fprintf(w, "event: tick\ndata: %d\n\n", n)
		if err := out.Flush(); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-fxshutdown.Draining(r.Context()):
			fmt.Fprint(w, "event: goodbye\ndata: come back soon\n\n")
			return
		case <-r.Context().Done():
			return
		}
	}
}

// upload returns the digest of the body that it receives.
func (a *api) upload(w http.ResponseWriter, r *http.Request) {
	sum := sha256.New()
	n, err := io.Copy(sum, http.MaxBytesReader(w, r.Body, 1<<30))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	writeJSON(w, a.log, map[string]any{"bytes": n, "sha256": hex.EncodeToString(sum.Sum(nil))})
}

func writeJSON(w http.ResponseWriter, log *zap.Logger, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		log.Warn("could not write the response", zap.Error(err))
	}
}
