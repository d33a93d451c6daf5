package main

import (
	"fmt"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/fxshutdown/fxhttp/cookbook/internal/servicetest"
)

func TestStop(t *testing.T) {
	s := servicetest.Start(t, service())
	cc, err := grpc.NewClient("passthrough:///"+s.Addr().String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableRetry())
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	api := pb.NewTestServiceClient(cc)

	stream, err := api.StreamingOutputCall(t.Context(), &pb.StreamingOutputCallRequest{Payload: payload(0)})
	if err != nil {
		t.Fatal(err)
	}
	watch, err := healthpb.NewHealthClient(cc).Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := watch.Recv(); err != nil || m.Status != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("Watch = %v, %v, want SERVING", m, err)
	}
	ends := make(chan string, 2)
	go func() { ends <- end("watch", func() error { _, err := watch.Recv(); return err }) }()
	go func() { ends <- end("stream", func() error { _, err := stream.Recv(); return err }) }()

	s.Load(func(n int) error {
		out, err := api.UnaryCall(t.Context(), &pb.SimpleRequest{Payload: payload(n)})
		if err != nil {
			return err
		}
		if got := string(out.Payload.Body); got != string(payload(n).Body) {
			return fmt.Errorf("UnaryCall() = %.60q", got)
		}
		return nil
	})
	s.Stop()
	// The library's stream may end without a status: see EndOnDrain.
	for range 2 {
		switch got := <-ends; got {
		case "stream: Unavailable", "watch: Canceled", "watch: Internal":
		default:
			t.Error(got)
		}
	}
}

// end receives until the stream ends, and returns the stream's name and status.
func end(name string, recv func() error) string {
	for {
		if err := recv(); err != nil {
			return fmt.Sprintf("%s: %v", name, status.Code(err))
		}
	}
}

func payload(n int) *pb.Payload {
	return &pb.Payload{Body: []byte(servicetest.Text(n))}
}
