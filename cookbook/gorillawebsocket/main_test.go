package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/fxshutdown/fxhttp/cookbook/internal/servicetest"
)

func TestStop(t *testing.T) {
	s := servicetest.Start(t, service())
	dial := func() *websocket.Conn {
		c, _, err := websocket.DefaultDialer.DialContext(t.Context(), strings.Replace(s.URL, "http", "ws", 1)+"/echo", nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	clients := make(chan error)
	for n := range 5 {
		c := dial()
		go func() { clients <- talk(c, fmt.Sprint("hello ", n)) }()
	}
	dial() // this client never reads, so it does not answer the Close frame
	s.Await(6)
	s.Stop()
	for range 5 {
		if err, closed := <-clients, new(websocket.CloseError); !errors.As(err, &closed) || closed.Code != websocket.CloseGoingAway {
			t.Errorf("a client ended with %v, want going away", err)
		}
	}
}

// talk sends messages, and checks their echoes, until the connection ends.
func talk(c *websocket.Conn, message string) error {
	for {
		if err := c.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
			return err
		}
		if _, got, err := c.ReadMessage(); err != nil || string(got) != message {
			return fmt.Errorf("ReadMessage() = %q, %w", got, err)
		}
	}
}
