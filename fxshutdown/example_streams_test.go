package fxshutdown_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// stopWhileOpen stops a server on which a stream is open, and prints the stream.
func stopWhileOpen(s *fxshutdown.Server) {
	resp := open(s, "/events")
	defer resp.Body.Close()
	if err := stopWithin(s, 10*time.Second); err != nil {
		fmt.Println(err)
	}
	io.Copy(os.Stdout, resp.Body)
}

// A stream says goodbye when the drain begins, and its client connects elsewhere.
func ExampleDraining() {
	events := make(chan string) // what the stream sends
	s := serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: welcome\n\n")
		http.NewResponseController(w).Flush()
		for {
			select {
			case e := <-events:
				fmt.Fprintf(w, "data: %s\n\n", e)
				http.NewResponseController(w).Flush()
			case <-fxshutdown.Draining(r.Context()):
				fmt.Fprint(w, "event: bye\ndata: reconnect\n\n")
				return
			case <-r.Context().Done():
				return
			}
		}
	}, fxshutdown.Config{})
	stopWhileOpen(s)
	// Output:
	// data: welcome
	//
	// event: bye
	// data: reconnect
}

// A library that knows nothing of this package looks at the context of its request.
func ExampleEndOnDrain() {
	library := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "data: welcome\n\n")
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
		fmt.Println(context.Cause(r.Context()) == fxshutdown.ErrDraining)
	})
	mux := http.NewServeMux()
	mux.Handle("/events", fxshutdown.EndOnDrain(library))

	s := serve(mux.ServeHTTP, fxshutdown.Config{})
	stopWhileOpen(s)
	// Output:
	// true
	// data: welcome
}

// The log of a server. Here the time and all fields are left out, since they differ from
// one run to the next.
func ExampleSlogLogger() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) > 0 || a.Key != slog.LevelKey && a.Key != slog.MessageKey {
				return slog.Attr{}
			}
			return a
		},
	}))
	ended := make(chan struct{})
	s := serve(greet, fxshutdown.Config{Logger: &until{&fxshutdown.SlogLogger{Logger: logger}, ended}})
	stopWithin(s, time.Second)
	<-ended
	// Output:
	// level=INFO msg="http server started"
	// level=INFO msg="http server stopping"
	// level=INFO msg="http server draining"
	// level=INFO msg="http server closed its listener"
	// level=INFO msg="http server stopped"
}

// until is a Logger that reports the last event, since events may come a little later
// than what they describe.
type until struct {
	fxshutdown.Logger
	ended chan struct{}
}

func (l *until) LogEvent(e fxshutdown.Event) {
	l.Logger.LogEvent(e)
	if _, ok := e.(*fxshutdown.Stopped); ok {
		close(l.ended)
	}
}

// terse is a custom Logger.
type terse struct{}

func (terse) LogEvent(e fxshutdown.Event) {
	switch e := e.(type) {
	case *fxshutdown.Stopped:
		fmt.Println("stopped, graceful:", e.Report.Graceful())
	default:
		level, message, _ := fxshutdown.Describe(e)
		fmt.Println(level, message)
	}
}

// A Logger can use any library for logging.
func ExampleDescribe() {
	ended := make(chan struct{})
	s := serve(greet, fxshutdown.Config{Logger: &until{terse{}, ended}})
	stopWithin(s, time.Second)
	<-ended
	// Output:
	// INFO http server started
	// INFO http server stopping
	// INFO http server draining
	// INFO http server closed its listener
	// stopped, graceful: true
}
