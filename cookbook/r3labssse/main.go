// Command r3labssse serves events by r3labs/sse, one each 100 ms to all who subscribe with
// GET /events?stream=clock.
//
// The surprise: its server ends a stream when the client goes, or in its own Close. As a
// dependency of the handler it is closed by Fx after the drain, which waits for the streams
// until its time is over (13 s). EndOnDrain ends each of them when its connection is told
// to go.
package main

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/r3labs/sse/v2"
	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

func main() { fx.New(service()).Run() }

func service() fx.Option {
	return fx.Options(
		fxhttp.Module(fxhttp.WithAddr(":8080")),
		fx.Provide(newEvents, newHandler),
	)
}

func newHandler(events *sse.Server) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /events", fxshutdown.EndOnDrain(events)) // glue
	return mux
}

const clock = "clock" // the name of the stream

func newEvents(lc fx.Lifecycle) *sse.Server {
	events := sse.New()
	events.AutoReplay = false // by default it keeps every event, and sends all to each new client
	events.CreateStream(clock)
	ctx, cancel := context.WithCancel(context.Background())
	var publisher sync.WaitGroup
	lc.Append(fx.StartStopHook(
		func() { publisher.Go(func() { publish(ctx, events) }) },
		func() {
			cancel()
			publisher.Wait()
			events.Close()
		},
	))
	return events
}

func publish(ctx context.Context, events *sse.Server) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			events.Publish(clock, &sse.Event{Data: []byte(now.Format(time.TimeOnly))})
		case <-ctx.Done():
			return
		}
	}
}
