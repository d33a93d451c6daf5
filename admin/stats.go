package fxhttpadmin

import (
	"net/http"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// Stats returns a handler that shows the [fxshutdown.Stats] of each server, by name, as
// JSON. Each HTTP request to it visits every connection.
func Stats(servers ...fxhttp.NamedServer) http.Handler {
	return safely(func(w http.ResponseWriter, r *http.Request) {
		all := make(map[string]fxshutdown.Stats, len(servers))
		for _, s := range servers {
			all[nameOf(s)] = s.Server.Stats()
		}
		writeJSON(w, all)
	})
}

// Requests returns a handler that shows the requests in flight of each server, by name,
// oldest first, as JSON. It shows paths, so see the package comment about where to serve
// it.
func Requests(servers ...fxhttp.NamedServer) http.Handler {
	return safely(func(w http.ResponseWriter, r *http.Request) {
		all := make(map[string][]fxshutdown.Request, len(servers))
		for _, s := range servers {
			all[nameOf(s)] = inFlight(s)
		}
		writeJSON(w, all)
	})
}

// inFlight returns a slice that is not nil, so that JSON has an empty list rather than
// null.
func inFlight(s fxhttp.NamedServer) []fxshutdown.Request {
	return append([]fxshutdown.Request{}, s.Server.InFlight()...)
}
