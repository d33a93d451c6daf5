package main

import (
	"testing"

	"github.com/fxshutdown/fxhttp/cookbook/internal/servicetest"
)

func TestStop(t *testing.T) {
	s := servicetest.Start(t, service())
	clock := s.Open("/clock")
	s.Load(s.Hello)
	s.Stop()
	clock.WantEnd("event:tick\n", "event:goodbye\ndata:come back soon\n\n")
}
