// Command gzip compresses its responses with gzhttp, including event streams.
//
// The surprise: gzhttp decides at the first byte whether to compress, and a Flush before
// that does nothing. Until a stream sends its first event, its client gets no header, and
// an EventSource no open event. Write an SSE comment first.
package main

import (
	"fmt"
	"io"
	"net/http"

	"github.com/klauspost/compress/gzhttp"
	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

func main() { fx.New(service()).Run() }

func service() fx.Option {
	return fx.Options(
		fxhttp.Module(fxhttp.WithAddr(":8080")),
		fx.Provide(newHandler),
	)
}

func newHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /hello", hello)
	mux.HandleFunc("GET /news", news)
	return gzhttp.GzipHandler(mux)
}

func hello(w http.ResponseWriter, r *http.Request) {
	name, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, "hello %s", name)
}

// news is an event stream that never sends an event.
func news(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, ": welcome\n\n") // glue
	if err := http.NewResponseController(w).Flush(); err != nil {
		return
	}
	select {
	case <-fxshutdown.Draining(r.Context()):
		fmt.Fprint(w, "event: goodbye\ndata: come back soon\n\n")
	case <-r.Context().Done():
	}
}
