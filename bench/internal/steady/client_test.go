package steady

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// A response that says close is read to its end, and the client dials again.
func TestDialAgain(t *testing.T) {
	var requests atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if requests.Add(1)%5 == 0 {
			w.Header().Set("Connection", "close")
		}
		w.Write(body)
	}))
	defer s.Close()
	c, err := dial(strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { c.Close() }()
	addrs := map[string]bool{}
	for range 19 {
		if err := c.roundTrip(); err != nil {
			t.Fatal(err)
		}
		if !bytes.HasSuffix(c.buf, body) {
			t.Fatalf("a response ends %q, want %q", c.buf, body)
		}
		addrs[c.LocalAddr().String()] = true
	}

	// The first request of each connection is one more.
	if n := len(addrs); n != 5 {
		t.Errorf("%d connections for %d requests, want 5", n, requests.Load())
	}
}

// Any other response that is longer than the first one is an error.
func TestUnexpectedResponse(t *testing.T) {
	var requests atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 2 {
			w.Header().Set("Longer", "yes")
			w.Header().Set("Connection", "close")
			io.WriteString(w, "not that")
			return
		}
		w.Write(body)
	}))
	defer s.Close()
	c, err := dial(strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.roundTrip(); err == nil || !strings.Contains(err.Error(), "not that") {
		t.Errorf("roundTrip() = %v, want an error with the response", err)
	}
}
