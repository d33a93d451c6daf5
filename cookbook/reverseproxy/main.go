// Command reverseproxy passes requests on to a backend, including WebSockets and event
// streams.
//
// The surprise: a proxied stream ends when its client or its backend goes away, and
// neither learns that the proxy drains. So the stream holds the stop until the stop's time
// is over (13 s), and the exit code is 1. EndOnDrain ends the stream. Use it only around
// the routes of streams: any other request that takes longer than 250 ms would get a 502.
package main

import (
	"net/http"
	"net/http/httputil"
	"net/url"

	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

func main() { fx.New(service("http://127.0.0.1:9000")).Run() }

// backend is the URL that requests are passed on to.
type backend string

func service(to backend) fx.Option {
	return fx.Options(
		fxhttp.Module(fxhttp.WithAddr(":8080")),
		fx.Supply(to),
		fx.Provide(newProxy),
	)
}

func newProxy(to backend, lc fx.Lifecycle) (http.Handler, error) {
	target, err := url.Parse(string(to))
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	lc.Append(fx.StopHook(transport.CloseIdleConnections)) // after the drain
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.SetXForwarded()
		},
	}
	mux := http.NewServeMux()
	mux.Handle("/", proxy)
	mux.Handle("/events", fxshutdown.EndOnDrain(proxy)) // glue
	mux.Handle("/ws", fxshutdown.EndOnDrain(proxy))     // glue
	return mux, nil
}
