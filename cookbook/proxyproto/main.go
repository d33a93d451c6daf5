// Command proxyproto serves behind a load balancer that speaks the PROXY protocol,
// version 1 or 2.
//
// The surprise: proxyproto's Listener hides the socket that it wraps, so the stop can
// neither see its accept queue nor hold off new clients. Clients that connect at that
// moment are reset: 16 of 64 in one stop. Expose the socket, and declare that only this
// server uses it.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/pires/go-proxyproto"
	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
)

func main() { fx.New(service(":8080")).Run() }

// addr is the address to listen on.
type addr string

func service(a addr) fx.Option {
	return fx.Options(
		fxhttp.Module(fxhttp.WithListenerOwned(func() bool { return true })), // glue
		fxhttp.ProvideOption(listen),
		fx.Supply(a),
		fx.Provide(newHandler),
	)
}

func listen(a addr) (fxhttp.Option, error) {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // glue: see WithListenerOwned
	ln, err := lc.Listen(context.Background(), "tcp", string(a))
	if err != nil {
		return nil, err
	}
	return fxhttp.WithListener(listener{ln.(*net.TCPListener), &proxyproto.Listener{
		Listener:          ln,
		ReadHeaderTimeout: 5 * time.Second,
		ConnPolicy:        required,
	}}), nil
}

// listener exposes the methods of the socket, which proxyproto's Listener hides. (glue)
type listener struct {
	*net.TCPListener
	proxied *proxyproto.Listener
}

func (l listener) Accept() (net.Conn, error) { return l.proxied.Accept() }

// required is a policy for a port that only load balancers can reach. It refuses
// connections without a PROXY header. Do not use it on an open port, where clients could
// forge their addresses.
func required(proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
	return proxyproto.REQUIRE, nil
}

func newHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /hello", func(w http.ResponseWriter, r *http.Request) {
		name, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, "hello %s", name)
	})
	mux.HandleFunc("GET /remote", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr) })
	return mux
}
