package main

import (
	"crypto/tls"
	"net/http"
	"testing"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"github.com/fxshutdown/fxhttp/cookbook/internal/servicetest"
)

const host = "www.example.org"

// The first certificate is about to expire, so it is renewed under load.
func TestStop(t *testing.T) {
	ca := newCA(t)
	s := servicetest.Start(t, service(&autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		HostPolicy: autocert.HostWhitelist(host),
		Cache:      autocert.DirCache(t.TempDir()),
		Client:     &acme.Client{DirectoryURL: ca.URL + "/directory", HTTPClient: ca.Client()},
	}))
	defer ca.Close()
	ca.leads(s.Addr().String())
	s.TrustTLS(ca.roots)
	s.Client.Transport.(*http.Transport).TLSClientConfig.ServerName = host
	s.Load(s.Hello)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		c, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{RootCAs: ca.roots, ServerName: host})
		if err != nil {
			t.Fatal(err)
		}
		left := time.Until(c.ConnectionState().PeerCertificates[0].NotAfter)
		c.Close()
		if left > 30*24*time.Hour {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the renewed certificate is not served")
		}
	}
	s.Stop()
	if got := ca.issued(); got != 2 {
		t.Errorf("%d certificates were issued, want the first one and its successor", got)
	}
}
