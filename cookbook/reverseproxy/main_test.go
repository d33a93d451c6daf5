package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/coder/websocket"

	"github.com/fxshutdown/fxhttp/cookbook/internal/servicetest"
)

func TestStop(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /hello", func(w http.ResponseWriter, r *http.Request) {
		name, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		fmt.Fprintf(w, "hello %s", name)
	})
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: 1\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("GET /ws", func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for err == nil {
			_, _, err = c.Read(context.Background())
		}
	})
	b := httptest.NewServer(mux)
	t.Cleanup(b.Close)

	s := servicetest.Start(t, service(backend(b.URL)))
	events := s.Open("/events")
	c, _, err := websocket.Dial(t.Context(), s.URL+"/ws", &websocket.DialOptions{HTTPClient: s.Client})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	s.Await(2)
	s.Load(s.Hello)
	r := s.Stop()
	if r.Ended != 1 {
		t.Errorf("Report().Ended = %d, want 1: the events", r.Ended)
	}
	events.WantCut("data: 1\n\n")
	if _, _, err := c.Read(t.Context()); err == nil || websocket.CloseStatus(err) != -1 {
		t.Errorf("Read() = %v, want the end of the connection", err)
	}
}
