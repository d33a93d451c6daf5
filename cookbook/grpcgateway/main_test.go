package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/fxshutdown/fxhttp/cookbook/internal/servicetest"
)

func TestStop(t *testing.T) {
	s := servicetest.Start(t, service("127.0.0.1:0"))
	clock := s.Open("/clock")
	s.Load(func(n int) error {
		body := base64.StdEncoding.EncodeToString([]byte(servicetest.Text(n)))
		text, err := s.Post("/echo", fmt.Sprintf(`{"payload": {"body": %q}}`, body))
		if err != nil {
			return err
		}
		var got struct{ Payload struct{ Body string } }
		if err := json.Unmarshal([]byte(text), &got); err != nil || got.Payload.Body != body {
			return fmt.Errorf("POST /echo = %.60q, %v", text, err)
		}
		return nil
	})
	s.Stop()
	clock.WantEnd(`{"result":`, "}}\n") // the last line is an error: the call was cancelled
}
