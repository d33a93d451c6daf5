// Command grpcgateway serves a gRPC service as JSON, with grpc-gateway, and the service
// itself on another port.
//
// The surprise: a Register…HandlerFromEndpoint that is given the context of an OnStart
// hook works for 15 s. Then Fx's start timeout is over, and the connection is closed. Give
// the handler a connection from the graph instead: it is closed, and the gRPC server is
// stopped, after the last request that needs them. EndOnDrain ends the gateway's streams.
package main

import (
	"net"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"go.uber.org/fx"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	pb "google.golang.org/grpc/interop/grpc_testing"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

func main() { fx.New(service("127.0.0.1:9090")).Run() }

// grpcAddr is where the gRPC server listens.
type grpcAddr string

func service(addr grpcAddr) fx.Option {
	return fx.Options(
		fxhttp.Module(fxhttp.WithAddr(":8080")),
		fx.Supply(addr),
		fx.Provide(newAPI, newConn, newGateway),
	)
}

// newAPI returns the address of the gRPC server.
func newAPI(lc fx.Lifecycle, addr grpcAddr) (net.Addr, error) {
	ln, err := net.Listen("tcp", string(addr))
	if err != nil {
		return nil, err
	}
	g := grpc.NewServer()
	pb.RegisterTestServiceServer(g, &api{})
	lc.Append(fx.StartStopHook(func() { go g.Serve(ln) }, g.GracefulStop))
	return ln.Addr(), nil
}

// newConn needs the gRPC server, and newGateway the connection: Fx stops them in the
// opposite order.
func newConn(lc fx.Lifecycle, addr net.Addr) (*grpc.ClientConn, error) {
	cc, err := grpc.NewClient("passthrough:///"+addr.String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	lc.Append(fx.StopHook(cc.Close))
	return cc, nil
}

func newGateway(cc *grpc.ClientConn) (http.Handler, error) {
	gateway := runtime.NewServeMux()
	// glue: not RegisterTestServiceHandlerFromEndpoint
	if err := registerTestService(gateway, pb.NewTestServiceClient(cc)); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", gateway)
	mux.Handle("/clock", fxshutdown.EndOnDrain(gateway)) // glue
	return mux, nil
}
