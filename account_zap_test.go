package fxhttp_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// Whatever clients send, the zap log stays short and printable.
func TestZapNobodyFloods(t *testing.T) {
	const n, long, most = 20, 900 << 10, 50 << 10
	encoders := map[string]zapcore.Encoder{
		"JSON":    zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()),
		"Console": zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()),
	}
	for name, encoder := range encoders {
		t.Run(name, func(t *testing.T) {
			log := &zapBuffer{}
			logger := zap.New(zapcore.NewCore(encoder, log, zap.InfoLevel))
			s, entered := cutAtTheEnd(t, &fxhttp.ZapLogger{Logger: logger})
			for i := range n {
				// Bidirectional and C1 control characters, escaped as HTTP/1 requires.
				path := "/%E2%80%AE%C2%9B%1B%0A" + strings.Repeat("x", long)
				if i%2 == 0 {
					path = "/"
				}
				method := "GET"
				if path == "/" {
					method = strings.Repeat("M", long)
				}
				c, err := net.Dial("tcp", s.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: localhost\r\n\r\n", method, path)
				<-entered
			}
			ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
			defer cancel()
			if err := s.Stop(ctx); err == nil {
				t.Error("Stop() = nil, want the aborted requests")
			}
			text := log.waitFor(t, "http server stopped")
			t.Logf("%d bytes", len(text))
			if len(text) > most {
				t.Errorf("the log has %d bytes, want at most %d", len(text), most)
			}
			for line := range strings.Lines(text) {
				for _, r := range strings.TrimSuffix(line, "\n") {
					if unicode.IsControl(r) && r != '\t' || unicode.Is(unicode.Bidi_Control, r) {
						t.Fatalf("the log has the character %U", r) // only tabs, the console's separators, are allowed
					}
				}
			}
		})
	}
}

// A zapBuffer is a buffer that zap can write to while a test reads it.
type zapBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (b *zapBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *zapBuffer) Sync() error { return nil }

// waitFor returns the buffer's content once it contains text. Stop does not wait for a
// slow Logger, so the text may come later.
func (b *zapBuffer) waitFor(t *testing.T, text string) string {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		b.mu.Lock()
		all := b.b.String()
		b.mu.Unlock()
		if strings.Contains(all, text) {
			return all
		}
		if time.Now().After(end) {
			t.Fatalf("the log does not say %q", text)
		}
	}
}

// cutAtTheEnd starts a server whose handlers end only with the test. The channel receives
// when one has begun.
func cutAtTheEnd(t *testing.T, logger fxshutdown.Logger) (*fxshutdown.Server, <-chan struct{}) {
	t.Helper()
	entered, leave := make(chan struct{}), make(chan struct{})
	srv := &http.Server{
		Addr: "127.0.0.1:0",
		Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			entered <- struct{}{}
			<-leave
		}),
	}
	s, err := fxshutdown.New(srv, fxshutdown.Config{Logger: logger, IdleGrace: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(leave); s.Close() })
	return s, entered
}
