// Command autocert serves TLS with a certificate that it orders of Let's Encrypt, and
// renews.
//
// The surprise: Manager.Listener does the TLS handshake by itself, so that the server can say
// less about its connections. Give the Manager's TLSConfig to WithTLS instead. It
// answers the challenge TLS-ALPN-01 on the port of the service, which must be 443, without
// a second server on port 80; its GetCertificate alone would not.
//
// The first client waits for the order, in its handshake, and a stop drops it then, as it
// does all handshakes that take long. A cache on a disk that outlives the process makes
// that rare, and keeps deploys off the CA's rate limit.
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
			fxhttp.WithMaxConnectionAge(24*time.Hour), // a connection stays with its certificate
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
