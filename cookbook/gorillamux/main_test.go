package main

import (
	"testing"

	"github.com/fxshutdown/fxhttp/cookbook/internal/servicetest"
)

func TestStop(t *testing.T) {
	s := servicetest.Start(t, service())
	s.Load(s.Hello)
	s.Stop()
}
