package drain

import (
	"io"
	"log"
	"net"
	"testing"
)

func netListen(addr string) (net.Listener, error) { return net.Listen("tcp", addr) }

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	l, err := netListen(addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// discard is for servers whose errors are what a test is about.
var discard = log.New(io.Discard, "", 0)
