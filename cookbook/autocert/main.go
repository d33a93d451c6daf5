// Command autocert serves TLS with a certificate that it orders from Let's Encrypt and
// renews.
//
// The surprise: Manager.Listener does the TLS handshake by itself, so the server knows
// less about its connections. Give the Manager's TLSConfig to WithTLS instead. It answers
// the challenge TLS-ALPN-01 on the port of the service, which must be 443, without a
// second server on port 80. The Manager's GetCertificate alone would not.
//
// The first client waits for the order during its handshake. A stop drops that client, as
// it drops all handshakes that take long. A cache on a disk that outlives the process
// makes that rare, and keeps deploys from reaching the CA's rate limit.
package main

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"go.uber.org/fx"
	"golang.org/x/crypto/acme/autocert"

	"github.com/fxshutdown/fxhttp"
)

func main() {
	fx.New(service(&autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		HostPolicy: autocert.HostWhitelist("www.example.org"),
		Cache:      autocert.DirCache("/var/lib/autocert"),
	})).Run()
}

func service(m *autocert.Manager) fx.Option {
	return fx.Options(
		fxhttp.Module(
			fxhttp.WithAddr(":443"),
			fxhttp.WithTLS(m.TLSConfig()),             // glue: not WithListener(m.Listener())
			fxhttp.WithMaxConnectionAge(24*time.Hour), // a connection keeps its certificate
		),
		fx.Provide(newHandler),
	)
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
	return mux
}
