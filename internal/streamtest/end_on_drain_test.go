package streamtest

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/tmaxmax/go-sse"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// Streams of libraries that know nothing of fxshutdown held a stop until its time was
// over: 13 s of the 15 s that Fx gives it. Under EndOnDrain they end within a second; on a
// busy machine, two.
const (
	stopTime = 15 * time.Second // the default of fx.StopTimeout
	most     = 2 * time.Second
)

// running returns when n requests run, or have hijacked their connections.
func (s *server) running(n int) {
	s.t.Helper()
	for end := time.Now().Add(10 * time.Second); len(s.InFlight()) < n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("InFlight() = %v, want %d", s.InFlight(), n)
		}
	}
}

// wantQuickEnd stops the server, whose defaults are not touched, and checks that nothing
// was lost.
func (s *server) wantQuickEnd() {
	s.t.Helper()
	took, err := s.stop(stopTime)
	if err != nil || took > most {
		s.t.Errorf("Stop() = %v after %v, want nil within %v", err, took, most)
	}
	r, st := s.Report(), s.Stats()
	if !r.Graceful() || r.Failed > 0 || r.Aborted > 0 || st.Failed > 0 || st.Aborted > 0 {
		s.t.Errorf("Report() = %+v, Stats() = %+v, want a graceful stop, nothing failed or aborted", r, st)
	}
	s.t.Logf("the stop took %v: %d answered, %d ended, %d hijacked", took, r.Answered, r.Ended, st.Hijacks)
}

func TestEndOnDrainSSE(t *testing.T) {
	events := &sse.Server{}
	s := start(t, false, fxshutdown.Config{}, fxshutdown.EndOnDrain(events).ServeHTTP)
	t.Cleanup(func() { events.Shutdown(context.Background()) })
	message := &sse.Message{}
	message.AppendData("1")
	// Its header comes with the first event, and that only to who has subscribed.
	subscribed := make(chan struct{})
	go func() {
		for range 5000 {
			events.Publish(message)
			select {
			case <-subscribed:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	resp, err := s.client.Get("http://" + s.Addr().String())
	close(subscribed)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got := make(chan string, 1)
	go func() {
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Errorf("the stream ended with %v, want a clean end", err)
		}
		got <- string(b)
	}()
	s.wantQuickEnd()
	if got := <-got; !strings.HasPrefix(got, "data: 1\n\n") {
		t.Errorf("events = %q, want what was published", got)
	}
}

func TestEndOnDrainProxiedWebSocket(t *testing.T) {
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			backend := httptest.NewServer(http.HandlerFunc(deaf))
			t.Cleanup(backend.Close)
			target, err := url.Parse(backend.URL)
			if err != nil {
				t.Fatal(err)
			}
			s := start(t, m.tls, fxshutdown.Config{}, fxshutdown.EndOnDrain(&httputil.ReverseProxy{
				Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
				Transport: &http.Transport{DisableKeepAlives: true},
				ErrorLog:  log.New(io.Discard, "", 0),
			}).ServeHTTP)
			cs := s.dialMany("/ws", 3)
			for _, c := range cs {
				if err := c.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
					t.Fatal(err)
				}
				if _, msg, err := c.Read(t.Context()); err != nil || string(msg) != "hello" {
					t.Fatalf("echo = %q, %v, want hello", msg, err)
				}
			}
			wait := reads(cs)
			s.wantQuickEnd()
			wantEnded(t, wait())
		})
	}
}

// The stream is the server's, and never ends by itself.
var endless = grpc.StreamDesc{
	StreamName:    "Endless",
	ServerStreams: true,
	Handler: func(_ any, stream grpc.ServerStream) error {
		in := new(emptypb.Empty)
		if err := stream.RecvMsg(in); err != nil {
			return err
		}
		if err := stream.SendMsg(in); err != nil {
			return err
		}
		<-stream.Context().Done()
		return stream.Context().Err()
	},
}

func TestEndOnDrainGRPC(t *testing.T) {
	g := grpc.NewServer()
	g.RegisterService(&grpc.ServiceDesc{ServiceName: "streamtest.Service", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{endless}}, nil)
	t.Cleanup(g.Stop)
	s := start(t, false, fxshutdown.Config{}, fxshutdown.EndOnDrain(g).ServeHTTP, func(srv *http.Server) {
		srv.Protocols = new(http.Protocols)
		srv.Protocols.SetUnencryptedHTTP2(true)
	})
	cc, err := grpc.NewClient("passthrough:///"+s.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	stream, err := cc.NewStream(t.Context(), &endless, "/streamtest.Service/Endless")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg(new(emptypb.Empty)); err != nil {
		t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if err := stream.RecvMsg(new(emptypb.Empty)); err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() { got <- stream.RecvMsg(new(emptypb.Empty)) }()
	s.running(1)
	s.wantQuickEnd()
	// As EndOnDrain's comment says: what the service returned, or that nothing came.
	err = <-got
	switch status.Code(err) {
	case codes.Canceled, codes.Internal:
	default:
		t.Errorf("the stream ended with %v, want Canceled or Internal", err)
	}
	t.Logf("the client got %v", err)
}
