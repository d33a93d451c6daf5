package main

import (
	"testing"

	"github.com/fxshutdown/fxhttp/cookbook/internal/servicetest"
)

func TestStop(t *testing.T) {
	s := servicetest.Start(t, service())
	var streams []*servicetest.Stream
	for range 5 {
		streams = append(streams, s.Open("/events?stream="+clock))
	}
	s.Stop()
	for _, st := range streams {
		st.WantEnd("", "\n\n")
	}
}
