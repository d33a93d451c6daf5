package main

import (
	"fmt"
	"net/http"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/fxshutdown/fxhttp/cookbook/internal/servicetest"
)

func TestStop(t *testing.T) {
	s := servicetest.Start(t, service())
	s.Client.Transport.(*http.Transport).DisableKeepAlives = true // the accept queue is what is at stake
	cc, err := grpc.NewClient("passthrough:///"+s.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	s.Load(s.Hello)
	s.Load(func(int) error {
		got, err := healthpb.NewHealthClient(cc).Check(t.Context(), &healthpb.HealthCheckRequest{})
		if err == nil && got.Status != healthpb.HealthCheckResponse_SERVING {
			err = fmt.Errorf("Check() = %v", got)
		}
		return err
	})
	s.Stop()
}
