package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"testing"
	"time"

	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/cookbook/internal/servicetest"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

func TestStop(t *testing.T) {
	var admin *fxshutdown.Server
	s := servicetest.Start(t, service(),
		fxhttp.ProvideNamedOption("admin", func() fxhttp.Option { return fxhttp.WithAddr("127.0.0.1:0") }),
		fx.Populate(fx.Annotate(&admin, fx.ParamTags(`name:"admin"`))),
	)
	profile := make(chan string)
	go func() {
		resp, err := s.Client.Get("http://" + admin.Addr().String() + "/debug/pprof/profile?seconds=30")
		if err != nil {
			profile <- err.Error()
			return
		}
		defer resp.Body.Close()
		zipped, err := gzip.NewReader(resp.Body)
		if err == nil {
			_, err = io.Copy(io.Discard, zipped) // verifies the checksum
		}
		profile <- fmt.Sprint(resp.StatusCode, " ", err)
	}()
	for len(admin.InFlight()) == 0 {
		time.Sleep(time.Millisecond)
	}
	s.Load(s.Hello)
	s.Stop()
	if got := <-profile; got != "200 <nil>" {
		t.Errorf("the profile ended with %s", got)
	}
	if r := admin.Report(); !r.Graceful() {
		t.Errorf("Report() = %+v, want a graceful stop", r)
	}
}
