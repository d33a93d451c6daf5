package main

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp/cookbook/internal/servicetest"
)

func TestStop(t *testing.T) {
	var db *database
	s := servicetest.Start(t, service(), fx.Populate(&db))
	s.Load(func(int) error {
		resp, err := s.Client.Post(s.URL+"/import", "", nil)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err == nil && (resp.StatusCode != http.StatusServiceUnavailable || string(body) != "too slow\n") {
			err = fmt.Errorf("POST /import = %s, %q", resp.Status, body)
		}
		return err
	})
	r := s.Stop()
	if n := int(db.loaded.Load()); n != r.Served {
		t.Errorf("%d imports were done, of %d requests", n, r.Served)
	}
}
