package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The engine becomes a package of the standard library, next to those that net/http
// keeps for itself: only such a package can be imported by net/http/httptest.
const enginePackage = "net/http/internal/fxshutdown"

// An edit replaces the only occurrence of old.
type edit struct{ old, new string }

// edits make httptest.Server serve through the engine. They fit Go 1.26 and Go 1.27.
var edits = []edit{
	{
		"import (\n",
		"import (\n\t\"" + enginePackage + "\"\n",
	},
	{
		"\tConfig *http.Server\n",
		"\tConfig *http.Server\n\n\tengine *fxshutdown.Server\n",
	},
	{
		"\ts.wg.Add(1)\n\tgo func() {\n\t\tdefer s.wg.Done()\n\t\ts.Config.Serve(",
		"\tfunc() {\n\t\ts.serve(",
	},
	{
		// httptest drops idle connections at once and leaves hijacked ones alone.
		// Here the latter are closed: the engine does not forget them.
		"// wrap installs",
		`func (s *Server) serve(l net.Listener) {
	if l != s.Listener { // in memory, where one http.Server has two listeners
		s.wg.Add(1)
		go func() {
			defer s.wg.Done()
			s.Config.Serve(l)
		}()
		return
	}
	var err error
	s.engine, err = fxshutdown.New(s.Config, fxshutdown.Config{
		Listener:    l,
		IdleGrace:   -1,
		HijackGrace: time.Nanosecond,
	})
	if err == nil {
		err = s.engine.Start(context.Background())
	}
	if err != nil {
		panic(fmt.Sprintf("httptest: %v", err))
	}
}

// wrap installs`,
	},
	{
		"\t\ts.Listener.Close()\n",
		"\t\tif s.engine == nil {\n\t\t\ts.Listener.Close()\n\t\t}\n",
	},
	{
		"\t\ts.Config.SetKeepAlivesEnabled(false)\n",
		"\t\tif s.engine == nil {\n\t\t\ts.Config.SetKeepAlivesEnabled(false)\n\t\t}\n",
	},
	{
		// Close waits for outstanding requests. That is what a stop without deadline does.
		"\ts.wg.Wait()\n",
		"\tif s.engine != nil {\n\t\ts.engine.Stop(context.Background())\n\t}\n\ts.wg.Wait()\n",
	},
	{
		// The hook would close what becomes idle. That is the stop's to do.
		`			if s.closed {
				s.closeConn(c)
			}
		case http.StateHijacked`,
		`			if s.closed && s.engine == nil {
				s.closeConn(c)
			}
		case http.StateHijacked`,
	},
	{
		"if st == http.StateIdle || st == http.StateNew {",
		"if s.engine == nil && (st == http.StateIdle || st == http.StateNew) {",
	},
}

// apply returns src with every edit made.
func apply(src string, edits []edit) (string, error) {
	for _, e := range edits {
		if n := strings.Count(src, e.old); n != 1 {
			return "", fmt.Errorf("httptest/server.go has %d times, not once: %q", n, e.old)
		}
		src = strings.Replace(src, e.old, e.new, 1)
	}
	return src, nil
}

// writeOverlay writes to dir what go test -overlay needs and returns the name of
// its file. engine is the directory of the package fxshutdown.
func writeOverlay(dir, goroot, engine string) (string, error) {
	server := filepath.Join(goroot, "src", "net", "http", "httptest", "server.go")
	src, err := os.ReadFile(server)
	if err != nil {
		return "", err
	}
	edited, err := apply(string(src), edits)
	if err != nil {
		return "", err
	}
	replaced := filepath.Join(dir, "server.go")
	if err := os.WriteFile(replaced, []byte(edited), 0o644); err != nil {
		return "", err
	}

	replace := map[string]string{server: replaced}
	files, err := filepath.Glob(filepath.Join(engine, "*.go"))
	if err != nil {
		return "", err
	}
	for _, f := range files {
		if !strings.HasSuffix(f, "_test.go") {
			replace[filepath.Join(goroot, "src", filepath.FromSlash(enginePackage), filepath.Base(f))] = f
		}
	}
	b, err := json.MarshalIndent(map[string]any{"Replace": replace}, "", "\t")
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, b, 0o644)
}
