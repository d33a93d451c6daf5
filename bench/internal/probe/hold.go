package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// held are the connections in the way.
type held struct {
	close []io.Closer
	wg    sync.WaitGroup // of the goroutines that read from them

	mu       sync.Mutex // guards what follows
	answered time.Time  // when the last response was complete
	lost     int        // requests without a response
}

func (h *held) release() {
	for _, c := range h.close {
		c.Close()
	}
	h.wg.Wait()
}

// ioTimeout bounds all that a client waits for but the server's end.
const ioTimeout = 10 * time.Second

// each makes the connections.
func each(addr string, use func(h *held, c net.Conn) error) (*held, error) {
	h := &held{}
	for range conns {
		c, err := net.DialTimeout("tcp", addr, ioTimeout)
		if err != nil {
			h.release()
			return nil, err
		}
		h.close = append(h.close, c)
		if err := use(h, c); err != nil {
			h.release()
			return nil, err
		}
	}
	return h, nil
}

// closeWithServer closes c when the server has closed its side.
func (h *held) closeWithServer(c net.Conn) {
	h.wg.Go(func() {
		io.Copy(io.Discard, c)
		c.Close()
	})
}

// holdRaw sends text and nothing more.
func holdRaw(addr, text string) (*held, error) {
	return each(addr, func(h *held, c net.Conn) error {
		_, err := io.WriteString(c, text)
		h.closeWithServer(c)
		return err
	})
}

const body = "bench"

func post(path string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

// holdKept has a request answered on each connection, and keeps it. The last answers are as good as simultaneous.
func holdKept(addr string) (*held, error) {
	return each(addr, func(h *held, c net.Conn) error {
		c.SetDeadline(time.Now().Add(ioTimeout))
		if _, err := io.WriteString(c, post("/")); err != nil {
			return err
		}
		if _, err := readResponse(c); err != nil {
			return err
		}
		c.SetDeadline(time.Time{})
		h.closeWithServer(c)
		return nil
	})
}

// holdSlow has requests under way.
func holdSlow(addr string) (*held, error) {
	return each(addr, func(h *held, c net.Conn) error {
		if _, err := io.WriteString(c, post("/slow")); err != nil {
			return err
		}
		h.wg.Go(func() {
			saidClose, err := readResponse(c)
			h.mu.Lock()
			h.answered = time.Now()
			if err != nil {
				h.lost++
			}
			h.mu.Unlock()
			if !saidClose && err == nil {
				io.Copy(io.Discard, c)
			}
			c.Close()
		})
		return nil
	})
}

// holdStuck has requests under way that never end.
func holdStuck(addr string) (*held, error) {
	return each(addr, func(h *held, c net.Conn) error {
		_, err := io.WriteString(c, post("/stuck"))
		h.closeWithServer(c)
		return err
	})
}

// readResponse reads a response to its end and returns whether it said that the connection closes.
func readResponse(c net.Conn) (saidClose bool, err error) {
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.Close, err
}

// holdHTTP2 has a request answered on each connection, by the client of net/http, which closes a connection that got
// GOAWAY and is not in use.
func holdHTTP2(addr string) (*held, error) {
	h := &held{}
	ctx, cancel := context.WithTimeout(context.Background(), ioTimeout)
	defer cancel()
	for range conns {
		tr := &http.Transport{
			// The certificate was made for this run.
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
			ForceAttemptHTTP2: true,
		}
		h.close = append(h.close, idleCloser{tr})
		if err := http2Request(ctx, tr, addr); err != nil {
			h.release()
			return nil, err
		}
	}
	return h, nil
}

func http2Request(ctx context.Context, tr *http.Transport, addr string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+addr+"/", strings.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 {
		return fmt.Errorf("the server speaks %s, not HTTP/2", resp.Proto)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

type idleCloser struct{ tr *http.Transport }

func (i idleCloser) Close() error {
	i.tr.CloseIdleConnections()
	return nil
}
