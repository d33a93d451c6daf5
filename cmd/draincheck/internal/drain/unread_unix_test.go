//go:build unix

package drain

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/losing"
)

// accepted is a connection of ours, and the server's end of it.
func accepted(t *testing.T) (*conn, *net.TCPConn) {
	t.Helper()
	addr := losing.FreeAddr(t)
	l := listen(t, addr)
	defer l.Close()
	d := &dialer{target: &target{addr: addr}, timeout: time.Minute}
	cn, err := d.dialRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cn.Close() })
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return cn, server.(*net.TCPConn)
}

// TestCutUnread has a request that crosses the server's close, and others.
func TestCutUnread(t *testing.T) {
	t.Parallel()
	const request = "POST / HTTP/1.1\r\n\r\n"
	for _, tt := range []struct {
		name string
		do   func(cn *conn, server *net.TCPConn)
		want bool
	}{
		{"Crossed", func(cn *conn, server *net.TCPConn) {
			server.Close()
			for peek(cn.raw.Conn) != peekClosed {
				time.Sleep(time.Millisecond)
			}
			cn.send([]byte(request))
		}, true},
		{"Unread", func(cn *conn, server *net.TCPConn) {
			cn.send([]byte(request))
			for peek(server) == peekNothing {
				time.Sleep(time.Millisecond)
			}
			server.Close()
		}, true},
		{"Read", func(cn *conn, server *net.TCPConn) {
			cn.send([]byte(request))
			io.ReadFull(server, make([]byte, len(request)))
			server.Close()
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cn, server := accepted(t)
			tt.do(cn, server)
			_, err := cn.br.Peek(1)
			if err == nil || errors.Is(err, net.ErrClosed) {
				t.Fatalf("Peek() = %v, want the end of the connection", err)
			}
			if got := cn.cutUnread(err); got != tt.want {
				t.Errorf("cutUnread(%v) = %v, want %v", err, got, tt.want)
			}
		})
	}
}

// TestUnreadStreams has a server that closes with bytes unread, after a frame that it
// sent when the stream was open, or without one.
func TestUnreadStreams(t *testing.T) {
	t.Parallel()
	for _, frame := range []bool{true, false} {
		cn, server := accepted(t)
		go func() {
			io.ReadFull(server, make([]byte, len(http2.ClientPreface)))
			http2.NewFramer(server, nil).WriteSettings()
		}()
		h, err := newH2(t.Context(), cn, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		defer h.close()
		fields := []hpack.HeaderField{{Name: ":method", Value: "GET"}}
		st, err := h.open(fields, "", func() {}, func() {})
		if err != nil {
			t.Fatal(err)
		}
		if frame {
			http2.NewFramer(server, nil).WritePing(false, [8]byte{})
			for read := false; !read; time.Sleep(time.Millisecond) {
				h.mu.Lock()
				read = h.lastFrame.After(st.opened)
				h.mu.Unlock()
			}
		}
		server.Close() // the client's SETTINGS at least are unread
		<-st.done
		if want := !frame; st.unread != want || st.end == endComplete {
			t.Errorf("with a frame %v: unread = %v (%v), want %v", frame, st.unread, st.err, want)
		}
	}
}
