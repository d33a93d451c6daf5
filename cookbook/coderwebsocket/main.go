// Command coderwebsocket serves an echo with coder/websocket.
//
// The surprise: http.Server.Shutdown forgets WebSockets, but fxhttp waits for them. A
// handler that does not know about the drain holds the stop until the stop's time is over
// (13 s), and its client sees the connection break. Say goodbye when Draining closes.
// WithHijackGrace bounds the time of handlers that do not.
package main

import (
	"context"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

func main() { fx.New(service()).Run() }

func service() fx.Option {
	return fx.Options(
		fxhttp.Module(fxhttp.WithAddr(":8080"), fxhttp.WithHijackGrace(5*time.Second)),
		fx.Provide(newHandler),
	)
}

func newHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /echo", echo)
	return mux
}

func echo(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer c.CloseNow()

	// glue: Close may be called while another goroutine reads.
	ended, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-fxshutdown.Draining(r.Context()):
			c.Close(websocket.StatusGoingAway, "draining")
		case <-ended.Done():
		}
	}()

	for {
		kind, message, err := c.Read(ended)
		if err != nil {
			return
		}
		if err := c.Write(ended, kind, message); err != nil {
			return
		}
	}
}
