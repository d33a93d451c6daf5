// Command grpc serves gRPC through net/http, with grpc.Server.ServeHTTP, without TLS and
// beside other routes.
//
// The surprise: calls that come through ServeHTTP are requests of the http.Server. A
// GracefulStop before the end of the drain makes new calls fail (Unknown), and a stream
// that is not told to end holds the stop until the stop's time is over (13 s). Let your
// own streams return a status when Draining closes. EndOnDrain ends those of libraries,
// such as the health service's Watch.
package main

import (
	"context"
	"net/http"
	"time"

	"go.uber.org/fx"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

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
		fx.Provide(newGRPC, newHandler),
	)
}

func newGRPC(lc fx.Lifecycle) *grpc.Server {
	g := grpc.NewServer()
	pb.RegisterTestServiceServer(g, &api{})
	healthpb.RegisterHealthServer(g, health.NewServer())
	lc.Append(fx.StopHook(g.Stop)) // after the drain
	return g
}

func newHandler(g *grpc.Server) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/grpc.testing.TestService/", g)
	mux.Handle("/grpc.health.v1.Health/", g)
	mux.Handle("/grpc.health.v1.Health/Watch", fxshutdown.EndOnDrain(g)) // glue
	return mux
}

// api implements the service, which here is that of gRPC's own tests.
type api struct {
	pb.UnimplementedTestServiceServer
}

func (*api) UnaryCall(_ context.Context, in *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	return &pb.SimpleResponse{Payload: in.Payload}, nil
}

func (*api) StreamingOutputCall(in *pb.StreamingOutputCallRequest, out pb.TestService_StreamingOutputCallServer) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := out.Send(&pb.StreamingOutputCallResponse{Payload: in.Payload}); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-fxshutdown.Draining(out.Context()): // glue
			return status.Error(codes.Unavailable, "draining")
		case <-out.Context().Done():
			return status.FromContextError(out.Context().Err()).Err()
		}
	}
}
