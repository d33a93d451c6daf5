// Package servicetest drives the services of the cookbook: it starts one on a free port,
// puts load on it, stops it in mid-load, and checks that each request that was sent got a
// complete answer.
package servicetest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/goleak"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

const (
	// most bounds a stop whose streams are told to end. Such a stop takes far less on an
	// idle machine. A stream that is not told to end would hold it for 13 s.
	most = 5 * time.Second

	patience = 20 * time.Second // limit for what should happen at once
	clients  = 8                // number of clients of a load
)

// A Service is an app under test.
type Service struct {
	*fxshutdown.Server
	URL    string       // of the server, without a slash at the end
	Client *http.Client // has a pool of its own

	t        *testing.T
	app      *fx.App
	stopping atomic.Bool // set when the stop has begun
	answered atomic.Int64
	clients  sync.WaitGroup
}

// Start starts the app, with its unnamed server on a free port.
func Start(t *testing.T, opts ...fx.Option) *Service {
	t.Helper()
	free := fxhttp.ProvideOption(func() fxhttp.Option { return fxhttp.WithAddr("127.0.0.1:0") })
	return StartAt(t, append(opts, free)...)
}

// StartAt starts an app whose address or listener is already suitable for a test.
func StartAt(t *testing.T, opts ...fx.Option) *Service {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { // runs last
		if !t.Failed() {
			goleak.VerifyNone(t, before)
		}
	})
	tr := &http.Transport{MaxIdleConnsPerHost: clients}
	t.Cleanup(tr.CloseIdleConnections)
	s := &Service{t: t, Client: &http.Client{Transport: tr, Timeout: patience}}
	s.app = fx.New(
		fx.Options(opts...),
		fx.Supply(fx.Annotate(quiet{}, fx.As(new(fxshutdown.Logger)))),
		fx.Populate(&s.Server),
		fx.NopLogger,
	)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.app.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !s.stopping.Swap(true) { // the test has failed
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_ = s.app.Stop(ctx)
			s.clients.Wait()
		}
	})
	s.URL = "http://" + s.Addr().String()
	return s
}

// TrustTLS makes the client speak TLS and trust roots.
func (s *Service) TrustTLS(roots *x509.CertPool) {
	s.URL = "https://" + s.Addr().String()
	s.Client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}
}

// quiet keeps the servers' events out of the output.
type quiet struct{}

func (quiet) LogEvent(fxshutdown.Event) {}

// Load starts clients that call send, one request after another, until the server refuses
// their connections. It returns when each client has had three answers. n differs from
// call to call.
func (s *Service) Load(send func(n int) error) {
	s.t.Helper()
	var warm sync.WaitGroup
	for client := range clients {
		warm.Add(1)
		s.clients.Go(func() {
			done := sync.OnceFunc(warm.Done)
			defer done()
			for n := client; ; n += clients {
				err := send(n)
				if s.stopping.Load() && isRefused(err) {
					return
				}
				if err != nil {
					s.t.Errorf("request %d: %v", n, err)
					return
				}
				s.answered.Add(1)
				if n >= 2*clients {
					done()
				}
			}
		})
	}
	warm.Wait()
	s.Await(1)
}

// isRefused reports whether err means that the listener is closed, so that nothing was
// sent.
func isRefused(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || // and for clients that do not wrap it:
		err != nil && strings.Contains(err.Error(), "connection refused")
}

// Await returns when n requests are running or have hijacked their connections.
func (s *Service) Await(n int) {
	s.t.Helper()
	for end := time.Now().Add(patience); len(s.InFlight()) < n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("InFlight() = %v, want %d", s.InFlight(), n)
		}
	}
}

// Hello sends a name slowly and checks that the answer is "hello" and the name. It uses
// POST, since a client may repeat a lost GET on its own.
func (s *Service) Hello(n int) error {
	name := Text(n)
	got, err := s.Post("/hello", name)
	if err == nil && got != "hello "+name {
		err = fmt.Errorf("POST /hello = %d bytes, %.60q", len(got), got)
	}
	return err
}

// Text returns a text of 4 KB that differs for each n.
func Text(n int) string { return strings.Repeat(fmt.Sprintf("%08d", n), 512) }

// Post sends body, its second half some time after the first, and returns the answer.
func (s *Service) Post(path, body string) (string, error) {
	half := len(body) / 2
	r := io.MultiReader(strings.NewReader(body[:half]), pause{}, strings.NewReader(body[half:]))
	req, err := http.NewRequest(http.MethodPost, s.URL+path, r)
	if err != nil {
		return "", err
	}
	req.ContentLength = int64(len(body))
	req.Header.Set("Content-Type", "text/plain")
	resp, err := s.Client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("POST %s = %s, %.60q", path, resp.Status, got)
	}
	return string(got), err
}

// pause is an empty reader that takes some time. It splits a request into two parts, so
// that some requests are running at any time.
type pause struct{}

func (pause) Read([]byte) (int, error) {
	time.Sleep(10 * time.Millisecond)
	return 0, io.EOF
}

// A Stream is a response that is read as it arrives.
type Stream struct {
	t     *testing.T
	path  string
	ended chan struct{} // closed by the reader
	text  []byte
	err   error
}

// Open sends a GET and returns when the header of the response has arrived.
func (s *Service) Open(path string) *Stream {
	s.t.Helper()
	resp, err := s.Client.Get(s.URL + path)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("GET %s = %s", path, resp.Status)
	}
	st := &Stream{t: s.t, path: path, ended: make(chan struct{})}
	go func() {
		defer close(st.ended)
		st.text, st.err = io.ReadAll(resp.Body)
	}()
	return st
}

// WantEnd waits for the end of the stream, and checks that the stream is complete and how
// it began and ended.
func (st *Stream) WantEnd(prefix, suffix string) {
	st.t.Helper()
	<-st.ended
	if text := string(st.text); st.err != nil || !strings.HasPrefix(text, prefix) || !strings.HasSuffix(text, suffix) {
		st.t.Errorf("GET %s = %.100q … %q, %v, want %q to %q", st.path, text, text[max(0, len(text)-100):], st.err, prefix, suffix)
	}
}

// WantCut waits for the end of the stream, and checks how it began and that its last chunk
// is missing, as after a handler that panics with http.ErrAbortHandler.
func (st *Stream) WantCut(prefix string) {
	st.t.Helper()
	<-st.ended
	if text := string(st.text); !errors.Is(st.err, io.ErrUnexpectedEOF) || !strings.HasPrefix(text, prefix) {
		st.t.Errorf("GET %s = %.200q, %v, want %q, cut", st.path, text, st.err, prefix)
	}
}

// Stop stops the app in the middle of its load, as Run does at an interrupt. It checks the
// error (nil means the exit code 0), the time that the stop took, and the report.
func (s *Service) Stop() fxshutdown.Report {
	s.t.Helper()
	s.stopping.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), s.app.StopTimeout())
	defer cancel()
	began := time.Now()
	err := s.app.Stop(ctx)
	took := time.Since(began)
	s.clients.Wait()
	r := s.Report()
	if err != nil || took > most {
		s.t.Errorf("Stop() = %v after %v, want nil within %v", err, took, most)
	}
	if !r.Graceful() || r.Failed > 0 {
		s.t.Errorf("Report() = %+v, want a graceful stop in which nothing failed", r)
	}
	if n := int(s.answered.Load()); r.Served < n || n > 0 && r.Requests == 0 {
		s.t.Errorf("Report() = %d requests in the stop, %d served, though clients got %d answers", r.Requests, r.Served, n)
	}
	s.t.Logf("stopped in %v, %d requests in the stop, %d in all", took, r.Requests, r.Served)
	return r
}
