// Command certificate serves TLS with a certificate that is read again when it has been
// renewed.
//
// The surprise: WithTLSFiles reads its files once, when the app is built, so a renewed
// certificate waits for the next deploy. GetCertificate is asked at each handshake. A
// connection stays with the certificate that it began with, hence the maximum age.
package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
)

func main() {
	fx.New(service(files{"/etc/tls/tls.crt", "/etc/tls/tls.key", time.Minute})).Run()
}

// files are those of the certificate and its key, read again at an interval.
type files struct {
	cert, key string
	every     time.Duration
}

func service(f files) fx.Option {
	return fx.Options(
		fxhttp.Module(fxhttp.WithAddr(":8443"), fxhttp.WithMaxConnectionAge(24*time.Hour)),
		fxhttp.AsOption(func(c *certificate) fxhttp.Option { // glue
			return fxhttp.WithTLS(&tls.Config{GetCertificate: c.get})
		}),
		fx.Supply(f),
		fx.Provide(newCertificate, newHandler),
	)
}

type certificate struct {
	files
	current atomic.Pointer[tls.Certificate]
}

func newCertificate(lc fx.Lifecycle, f files) (*certificate, error) {
	c := &certificate{files: f}
	if err := c.read(); err != nil {
		return nil, err
	}
	stop := make(chan struct{})
	var reader sync.WaitGroup
	lc.Append(fx.StartStopHook(
		func() { reader.Go(func() { c.follow(stop) }) },
		func() { close(stop); reader.Wait() },
	))
	return c, nil
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.current.Load(), nil
}

func (c *certificate) read() error {
	cert, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err == nil {
		c.current.Store(&cert)
	}
	return err
}

func (c *certificate) follow(stop <-chan struct{}) {
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := c.read(); err != nil { // half written, perhaps: the old one serves on
				log.Print("certificate: ", err)
			}
		case <-stop:
			return
		}
	}
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
