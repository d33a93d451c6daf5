// Command connect serves connect-go handlers to clients of Connect, gRPC-Web and gRPC.
//
// The surprise: gRPC clients need HTTP/2 without TLS, which has to be switched on, and a
// stream has to end with a code. EndOnDrain cancels the context of a stream, so the stream
// ends with Canceled, as if its client had cancelled it. Unavailable tells the client that
// it may try again; a nil error would tell it that the stream is complete.
package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"go.uber.org/fx"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

func main() { fx.New(service()).Run() }

func service() fx.Option {
	// glue: not h2c.NewHandler, which hijacks connections: their calls would not be seen,
	// and would be cut.
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return fx.Options(
		fxhttp.Module(fxhttp.WithAddr(":8080"), fxhttp.WithProtocols(&protocols)),
		fx.Provide(newHandler),
	)
}

// newHandler registers what generated code would register by
// mux.Handle(greetv1connect.NewGreetHandler(…)).
func newHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/greet.v1.Greet/Hello", connect.NewUnaryHandler("/greet.v1.Greet/Hello", hello))
	mux.Handle("/greet.v1.Greet/Clock", connect.NewServerStreamHandler("/greet.v1.Greet/Clock", clock))
	return mux
}

type text = wrapperspb.StringValue

func hello(_ context.Context, in *connect.Request[text]) (*connect.Response[text], error) {
	return connect.NewResponse(wrapperspb.String("hello " + in.Msg.Value)), nil
}

func clock(ctx context.Context, _ *connect.Request[text], out *connect.ServerStream[text]) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			if err := out.Send(wrapperspb.String(now.Format(time.TimeOnly))); err != nil {
				return err
			}
		case <-fxshutdown.Draining(ctx): // glue
			return connect.NewError(connect.CodeUnavailable, errors.New("draining"))
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
