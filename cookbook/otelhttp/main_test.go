package main

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/fxshutdown/fxhttp/cookbook/internal/servicetest"
)

func TestStop(t *testing.T) {
	spans := &counter{}
	s := servicetest.Start(t, service(func() *counter { return spans }))
	s.Load(s.Hello)
	if r := s.Stop(); spans.n != r.Served {
		t.Errorf("%d spans were exported, of %d requests", spans.n, r.Served)
	}
}

// counter counts spans. The provider calls it from one goroutine at a time.
type counter struct{ n int }

func (c *counter) ExportSpans(_ context.Context, spans []trace.ReadOnlySpan) error {
	c.n += len(spans)
	return nil
}

func (c *counter) Shutdown(context.Context) error { return nil }
