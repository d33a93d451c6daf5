package main

import (
	"strings"
	"testing"

	"github.com/fxshutdown/fxhttp/cookbook/internal/servicetest"
)

func TestStop(t *testing.T) {
	s := servicetest.Start(t, service())
	news := s.Open("/news")
	resp, err := s.Client.Post(s.URL+"/hello", "text/plain", strings.NewReader(servicetest.Text(0)))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if !resp.Uncompressed {
		t.Error("the response was not compressed")
	}
	s.Load(s.Hello)
	s.Stop()
	news.WantEnd(": welcome\n\n", "event: goodbye\ndata: come back soon\n\n")
}
