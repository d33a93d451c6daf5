// Command gorillawebsocket serves an echo with gorilla/websocket.
//
// The surprise: http.Server.Shutdown forgets WebSockets, but fxhttp waits for them, and
// gorilla's ReadMessage takes no context that could end it. So when Draining closes,
// another goroutine sends a Close frame with WriteControl, the only writing method that
// may be called while another goroutine writes. A read deadline gives the client a second
// to answer.
package main

import (
	"net/http"
	"time"

	"github.com/gorilla/websocket"
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

var upgrader = websocket.Upgrader{}

func echo(w http.ResponseWriter, r *http.Request) {
	c, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	defer c.Close()

	// glue
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-fxshutdown.Draining(r.Context()):
			goodbye := websocket.FormatCloseMessage(websocket.CloseGoingAway, "draining")
			soon := time.Now().Add(time.Second)
			_ = c.WriteControl(websocket.CloseMessage, goodbye, soon)
			_ = c.SetReadDeadline(soon)
		case <-ended:
		}
	}()

	for {
		kind, message, err := c.ReadMessage()
		if err != nil {
			return
		}
		if err := c.WriteMessage(kind, message); err != nil {
			return
		}
	}
}
