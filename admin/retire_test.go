package fxhttpadmin_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/admin"
)

// keptAlive opens a connection to the server and sends a request on it. next sends another
// request, and reports whether its response says close.
func keptAlive(t *testing.T, addr net.Addr) (conn net.Conn, next func() (closes bool)) {
	t.Helper()
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	r := bufio.NewReader(conn)
	next = func() bool {
		t.Helper()
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		return resp.Close
	}
	if next() {
		t.Fatal("the first response says close")
	}
	return conn, next
}

func TestRetire(t *testing.T) {
	a := startApp(t, []fxhttpadmin.Option{fxhttpadmin.WithRetire()}, api(http.NotFoundHandler()), api(http.NotFoundHandler(), fxhttp.WithName("jobs")))
	post := func(query string, header ...string) answer {
		t.Helper()
		return a.do(t, http.MethodPost, "/retire?"+query, func(r *http.Request) {
			for i := 0; i+1 < len(header); i += 2 {
				r.Header.Set(header[i], header[i+1])
			}
		})
	}
	one, next := keptAlive(t, a.servers[""].Addr())
	_, nextOther := keptAlive(t, a.servers[""].Addr())
	_, nextJobs := keptAlive(t, a.servers["jobs"].Addr())

	// A page of another origin, in a browser, has no effect.
	for _, header := range [][]string{
		{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "null"},
	} {
		if got := post("server=http", header...); got.status != http.StatusForbidden {
			t.Errorf("POST with %q = %d, want 403", header, got.status)
		}
	}
	if got := a.servers[""].Stats().Retired; got != 0 {
		t.Fatalf("%d connections were retired from another origin", got)
	}

	// A single connection is chosen by its address; the others stay.
	if got := post("server=http&remote="+url.QueryEscape(one.LocalAddr().String()), "Sec-Fetch-Site", "same-origin"); got.status != 200 || got.body != `{"server":"http","retired":1}`+"\n" {
		t.Errorf("POST = %d %s, want one retired", got.status, got.body)
	}
	if !next() || nextOther() {
		t.Error("the chosen connection does not say close, or the other one does")
	}
	// A client is chosen by its IP address.
	if got := post("server=http&remote=192.0.2.1"); got.body != `{"server":"http","retired":0}`+"\n" {
		t.Errorf("POST for another client = %s, want none", got.body)
	}
	if got := post("server=http&remote=::ffff:127.0.0.1"); got.body != `{"server":"http","retired":1}`+"\n" {
		t.Errorf("POST for the client = %s, want the connection that was left", got.body)
	}
	if got := post("server=http&remote=127.0.0.1"); got.body != `{"server":"http","retired":0}`+"\n" {
		t.Errorf("POST for the client once more = %s, want none", got.body)
	}
	if !nextOther() {
		t.Error("the client's connection does not say close")
	}
	// A form without a remote chooses all connections of a server.
	got := a.do(t, http.MethodPost, "/retire", func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Body = io.NopCloser(strings.NewReader("server=jobs"))
	})
	if got.status != 200 || got.body != `{"server":"jobs","retired":1}`+"\n" || !nextJobs() {
		t.Errorf("POST of a form = %d %s, want its connection retired", got.status, got.body)
	}
}

func TestRetireRefuses(t *testing.T) {
	a := startApp(t, []fxhttpadmin.Option{fxhttpadmin.WithRetire()}, api(http.NotFoundHandler()))
	_, next := keptAlive(t, a.servers[""].Addr())
	for _, tt := range []struct {
		query  string
		status int
		body   string
	}{
		{"", 400, "the parameter server is missing: want the name of a server\n"},
		{"server=nothing", 404, "no such server\n"},
		{"server=http&remote=localhost", 400, "remote is neither"},
		{"server=http&remote=127.0.0.1:", 400, "remote is neither"},
		{"server=http&remote=127.0.0.0/8", 400, "remote is neither"},
		{"server=http;remote=1", 400, "the form cannot be read\n"},
	} {
		if got := a.do(t, http.MethodPost, "/retire?"+tt.query); got.status != tt.status || !strings.HasPrefix(got.body, tt.body) {
			t.Errorf("POST ?%s = %d %q, want %d %q", tt.query, got.status, got.body, tt.status, tt.body)
		}
	}
	got := a.do(t, http.MethodPost, "/retire", func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Body = io.NopCloser(strings.NewReader("server=http&x=" + strings.Repeat("x", 10_000)))
	})
	if got.status != 400 {
		t.Errorf("POST of a long form = %d, want 400", got.status)
	}
	if next() {
		t.Error("a refused POST has retired the connection")
	}
}
