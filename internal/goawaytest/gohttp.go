package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// goDriver is Go's own client.
type goDriver struct{}

func (goDriver) round(spec spec) ([]result, error) {
	t := &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		Protocols:       new(http.Protocols),
	}
	defer t.CloseIdleConnections()
	if spec.tls {
		t.Protocols.SetHTTP2(true)
	} else {
		t.Protocols.SetUnencryptedHTTP2(true)
	}
	return loop(spec, func(ctx context.Context, id int64, body string) error {
		req, err := http.NewRequestWithContext(ctx, "POST", spec.url()+strconv.FormatInt(id, 10), strings.NewReader(body))
		if err != nil {
			return err
		}
		resp, err := t.RoundTrip(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return err
		}
		if resp.StatusCode != 200 {
			return fmt.Errorf("status %d", resp.StatusCode)
		}
		return nil
	}), nil
}

func (goDriver) close() {}

// loop sends requests from as many goroutines as the spec has workers, each its next
// one when the last has ended, until no connection can be made
// or requests fail one after another.
func loop(spec spec, send func(ctx context.Context, id int64, body string) error) []result {
	var (
		mu      sync.Mutex // guards results
		results []result
		wg      sync.WaitGroup
		ids     atomic.Int64
	)
	ids.Store(spec.first)
	body := strings.Repeat("x", spec.body)
	end := time.Now().Add(roundMost)
	for range spec.workers {
		wg.Go(func() {
			for failed := 0; failed < failMost && time.Now().Before(end); {
				id := ids.Add(1)
				ctx, cancel := context.WithTimeout(context.Background(), requestMost)
				err := send(ctx, id, body)
				cancel()
				res := result{id: id, kind: "ok"}
				failed++
				if err == nil {
					failed = 0
				} else {
					res.kind, res.text = "fail", tidy(err.Error())
					if strings.Contains(err.Error(), "connection refused") {
						res.kind = "never"
					}
				}
				mu.Lock()
				results = append(results, res)
				mu.Unlock()
				if res.kind == "never" {
					return
				}
				time.Sleep(spec.pauseOf(id))
			}
		})
	}
	wg.Wait()
	return results
}
