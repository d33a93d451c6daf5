package main

import (
	"context"
	"fmt"
	"testing"

	"github.com/coder/websocket"

	"github.com/fxshutdown/fxhttp/cookbook/internal/servicetest"
)

func TestStop(t *testing.T) {
	s := servicetest.Start(t, service())
	clients := make(chan error)
	for n := range 5 {
		c, _, err := websocket.Dial(t.Context(), s.URL+"/echo", &websocket.DialOptions{HTTPClient: s.Client})
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		go func() { clients <- talk(t.Context(), c, fmt.Sprint("hello ", n)) }()
	}
	s.Await(5)
	s.Stop()
	for range 5 {
		if err := <-clients; websocket.CloseStatus(err) != websocket.StatusGoingAway {
			t.Errorf("a client ended with %v, want going away", err)
		}
	}
}

// talk sends messages, and checks their echoes, until the connection ends.
func talk(ctx context.Context, c *websocket.Conn, message string) error {
	for {
		if err := c.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
			return err
		}
		if _, got, err := c.Read(ctx); err != nil || string(got) != message {
			return fmt.Errorf("Read() = %q, %w", got, err)
		}
	}
}
