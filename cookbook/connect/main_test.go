package main

import (
	"fmt"
	"net/http"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fxshutdown/fxhttp/cookbook/internal/servicetest"
)

func TestStop(t *testing.T) {
	for _, protocol := range []struct {
		name string
		http func(*http.Protocols, bool)
		opts []connect.ClientOption
	}{
		{"Connect", (*http.Protocols).SetHTTP1, nil},
		{"GRPC", (*http.Protocols).SetUnencryptedHTTP2, []connect.ClientOption{connect.WithGRPC()}},
	} {
		t.Run(protocol.name, func(t *testing.T) {
			s := servicetest.Start(t, service())
			tr := s.Client.Transport.(*http.Transport)
			tr.Protocols = new(http.Protocols)
			protocol.http(tr.Protocols, true)
			hello := connect.NewClient[text, text](s.Client, s.URL+"/greet.v1.Greet/Hello", protocol.opts...)
			clock := connect.NewClient[text, text](s.Client, s.URL+"/greet.v1.Greet/Clock", protocol.opts...)

			stream, err := clock.CallServerStream(t.Context(), connect.NewRequest(&text{}))
			if err != nil {
				t.Fatal(err)
			}
			defer stream.Close()
			ended := make(chan error)
			go func() {
				for stream.Receive() {
				}
				ended <- stream.Err()
			}()

			s.Load(func(n int) error {
				name := servicetest.Text(n)
				out, err := hello.CallUnary(t.Context(), connect.NewRequest(wrapperspb.String(name)))
				if err == nil && out.Msg.Value != "hello "+name {
					err = fmt.Errorf("Hello() = %.60q", out.Msg.Value)
				}
				return err
			})
			s.Stop()
			if err := <-ended; connect.CodeOf(err) != connect.CodeUnavailable {
				t.Errorf("the clock ended with %v, want Unavailable", err)
			}
		})
	}
}
