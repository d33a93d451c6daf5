// Command certificate serves TLS with a certificate that it reads again after a renewal.
//
// The surprise: WithTLSFiles reads its files once, when the app is built, so a renewed
// certificate waits for the next deploy. GetCertificate is called at each handshake. A
// connection keeps the certificate that it began with, hence the maximum age.
package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"sync"
	"time"

	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
)

func main() {
	fx.New(service(&certificate{cert: "/etc/tls/tls.crt", key: "/etc/tls/tls.key", every: time.Minute})).Run()
}

func service(c *certificate) fx.Option {
	return fx.Options(
		fxhttp.Module(
			fxhttp.WithAddr(":8443"),
			fxhttp.WithTLS(&tls.Config{GetCertificate: c.get}), // glue: not WithTLSFiles
			fxhttp.WithMaxConnectionAge(24*time.Hour),
		),
		fx.Provide(newHandler),
		fx.Invoke(c.read), // an unusable file fails the start
	)
}

// certificate is read again at the first handshake after an interval.
type certificate struct {
	cert, key string // files
	every     time.Duration

	mu      sync.Mutex // guards the fields below
	current *tls.Certificate
	readAt  time.Time
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.readAt) > c.every {
		if err := c.readLocked(); err != nil { // the files may be half written: keep the old certificate
			log.Print("reading the certificate: ", err)
		}
	}
	return c.current, nil
}

func (c *certificate) read() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.readLocked()
}

func (c *certificate) readLocked() error {
	c.readAt = time.Now()
	cert, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err == nil {
		c.current = &cert
	}
	return err
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
