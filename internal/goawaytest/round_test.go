package main

import (
	"testing"

	"github.com/fxshutdown/fxhttp/internal/testcert"
)

// Go's clients lose nothing, whatever the policy.
func TestPolicies(t *testing.T) {
	cert, _ := testcert.New()
	for _, kind := range []struct {
		name   string
		driver driver
		spec   spec
	}{
		{"Go", goDriver{}, spec{tls: true, workers: 4, body: 100}},
		{"Uploads", goDriver{}, spec{workers: 4, body: 100_000}},
		{"gRPC", grpcDriver{}, spec{workers: 4, body: 100}},
	} {
		for _, p := range policies {
			t.Run(kind.name+"/"+p.name, func(t *testing.T) {
				t.Parallel()
				n, took, err := oneRound(kind.driver, client{spec: kind.spec}, p, &cert)
				if err != nil {
					t.Fatal(err)
				}
				if n.answered == 0 || n.lost > 0 || n.twice > 0 {
					t.Errorf("%d answered, %d lost, %d twice; the stop took %v: %v", n.answered, n.lost, n.twice, took, n.texts)
				}
			})
		}
	}
}

// The harness sees what a stop loses that cuts the connections.
func TestCut(t *testing.T) {
	cut := policy{"cut", "", func(c *conn) { c.Close() }}
	n, _, err := oneRound(goDriver{}, client{spec: spec{workers: 8, body: 100}}, cut, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n.answered == 0 || n.lost == 0 {
		t.Errorf("%d answered, %d lost; want some of both", n.answered, n.lost)
	}
}
