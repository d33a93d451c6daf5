// Command gosse serves events with go-sse, one every 100 ms to all subscribers.
//
// The surprise: go-sse's server ends a stream when its client goes away, or in its own
// Shutdown. Since that server is a dependency of the handler, Fx stops it only after the
// drain, and the drain waits for the streams until its time is over (13 s). EndOnDrain
// ends each stream when its connection is told to go.
package main

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/tmaxmax/go-sse"
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

func newEvents(lc fx.Lifecycle) *sse.Server {
	events := &sse.Server{}
	ctx, cancel := context.WithCancel(context.Background())
	var publisher sync.WaitGroup
	lc.Append(fx.StartStopHook(
		func() { publisher.Go(func() { publish(ctx, events) }) },
		func(stop context.Context) error {
			cancel()
			publisher.Wait()
			return events.Shutdown(stop)
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
			m := &sse.Message{}
			m.AppendData(now.Format(time.TimeOnly))
			_ = events.Publish(m)
		case <-ctx.Done():
			return
		}
	}
}
