package fxhttpadmin

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// The history has one sample every two seconds, however many viewers there are, and covers
// at most five minutes.
func TestPageHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, err := fxshutdown.New(new(http.Server), fxshutdown.Config{})
		if err != nil {
			t.Fatal(err)
		}
		page := NewPage(fxhttp.NamedServer{Name: "a", Server: server})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go page.Run(ctx)
		time.Sleep(20*time.Second + time.Millisecond)
		for range 10 {
			page.sample() // viewers
		}
		if past := page.past(); len(past.Servers) != 1 || past.Servers[0].Name != "a" || len(past.Servers[0].Samples) != 11 || past.Age != 1 || past.Every != 2000 {
			t.Errorf("after 20 s the history is %+v, want 11 samples, the last one 1 ms old", past)
		}
		time.Sleep(10 * time.Minute)
		if past := page.past(); len(past.Servers[0].Samples) != maxSamples {
			t.Errorf("after 10 min it has %d samples, want %d", len(past.Servers[0].Samples), maxSamples)
		}
	})
}
