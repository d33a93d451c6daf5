package main

import (
	"context"
	"net"
	"net/http"
	"testing"

	"github.com/pires/go-proxyproto"

	"github.com/fxshutdown/fxhttp/cookbook/internal/servicetest"
)

func TestStop(t *testing.T) {
	s := servicetest.StartAt(t, service("127.0.0.1:0"))
	balanced := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1234}
	tr := s.Client.Transport.(*http.Transport)
	tr.DisableKeepAlives = true // the accept queue is what is at stake
	tr.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, network, address)
		if err == nil {
			_, err = proxyproto.HeaderProxyFromAddrs(2, balanced, c.RemoteAddr()).WriteTo(c)
		}
		return c, err
	}
	silent, err := net.Dial("tcp", s.Addr().String()) // as a health check of the load balancer does
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	s.Load(s.Hello)
	remote := s.Open("/remote")
	s.Stop()
	remote.WantEnd(balanced.String(), "")
}
