package fxhttpadmin

import (
	"net/http"
	"net/netip"
	"slices"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// maxForm bounds the body of a POST to Retire, in bytes.
const maxForm = 4 << 10

// Retire returns a handler that tells clients to go while their server continues to
// serve, through [fxshutdown.Server.Retire]. It takes a POST with two values, in a form
// or in the query:
//
//	curl -d server=http -d remote=192.0.2.7 localhost:8081/retire
//
// server is the name of a server. remote is the IP address of a client, or the IP address
// and port of a connection; without it, all connections of the server are chosen. The
// response is JSON, with the number of connections that this request has retired.
// Connections that had already retired do not count.
//
// Requests that a browser sends from another origin are refused with status 403
// (http.CrossOriginProtection).
func Retire(servers ...fxhttp.NamedServer) http.Handler {
	post := forMethods("POST", func(m string) bool { return m == http.MethodPost }, func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			http.Error(w, "the form cannot be read", http.StatusBadRequest)
			return
		}
		name := r.Form.Get("server")
		i := slices.IndexFunc(servers, func(s fxhttp.NamedServer) bool { return nameOf(s) == name })
		choose, ok := chooser(r.Form.Get("remote"))
		switch {
		case name == "":
			http.Error(w, "the parameter server is missing: want the name of a server", http.StatusBadRequest)
		case i < 0:
			http.Error(w, "no such server", http.StatusNotFound)
		case !ok:
			http.Error(w, "remote is neither an IP address nor an IP address with a port", http.StatusBadRequest)
		default:
			writeJSON(w, struct {
				Server  string `json:"server"`
				Retired int    `json:"retired"`
			}{name, servers[i].Server.Retire(choose)})
		}
	})
	return http.NewCrossOriginProtection().Handler(post)
}

// chooser returns a function that chooses the connections of remote, or all connections if
// remote is empty. ok is false if remote is not valid.
func chooser(remote string) (choose func(fxshutdown.ConnInfo) bool, ok bool) {
	if remote == "" {
		return func(fxshutdown.ConnInfo) bool { return true }, true
	}
	if addr, err := netip.ParseAddr(remote); err == nil {
		return func(c fxshutdown.ConnInfo) bool {
			of, err := netip.ParseAddrPort(c.RemoteAddr)
			return err == nil && of.Addr().Unmap() == addr.Unmap()
		}, true
	}
	if addr, err := netip.ParseAddrPort(remote); err == nil {
		addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
		return func(c fxshutdown.ConnInfo) bool {
			of, err := netip.ParseAddrPort(c.RemoteAddr)
			return err == nil && netip.AddrPortFrom(of.Addr().Unmap(), of.Port()) == addr
		}, true
	}
	return nil, false
}
