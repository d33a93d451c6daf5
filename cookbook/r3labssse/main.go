// Command r3labssse serves events with r3labs/sse, one every 100 ms, to all clients that
// subscribe with GET /events?stream=clock.
//
// The surprise: the library's server ends a stream when its client goes away, or in its
// own Close. Since that server is a dependency of the handler, Fx closes it only after the
// drain, and the drain waits for the streams until its time is over (13 s). EndOnDrain
// ends each stream when its connection is told to go.
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
	events.AutoReplay = false // the default keeps every event and sends all of them to each new client
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
