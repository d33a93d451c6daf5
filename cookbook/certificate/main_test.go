package main

import (
	"crypto/tls"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/cookbook/internal/servicetest"
	"github.com/fxshutdown/fxhttp/internal/testcert"
)

func TestStop(t *testing.T) {
	dir := t.TempDir()
	first, roots := testcert.New()
	second, _ := testcert.New()
	roots.AddCert(second.Leaf)
	cert, key, err := testcert.Write(dir, first)
	if err != nil {
		t.Fatal(err)
	}

	s := servicetest.Start(t, service(&certificate{cert: cert, key: key, every: 10 * time.Millisecond}))
	s.TrustTLS(roots)
	s.Load(s.Hello)
	if _, _, err := testcert.Write(dir, second); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		c, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{RootCAs: roots})
		if err != nil {
			t.Fatal(err)
		}
		got := c.ConnectionState().PeerCertificates[0]
		c.Close()
		if got.Equal(second.Leaf) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the renewed certificate is not served")
		}
	}
	s.Stop()
}
