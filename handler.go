package fxhttp

import (
	"net/http"
	"reflect"
)

// lateHandler stands in an http.Server for the handler of the graph, which is
// constructed later since it may inject the server. So an fx.Decorate, or an fx.Invoke
// listed before Module, can wrap it.
type lateHandler struct {
	next http.Handler // set when the server's hook is appended; nil if there is none
}

// ServeHTTP is called if somebody has wrapped the handler.
func (h *lateHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.next == nil {
		http.Error(w, "fxhttp: the server has no http.Handler", http.StatusInternalServerError)
		return
	}
	h.next.ServeHTTP(w, r)
}

// isIn reports whether nobody has replaced or wrapped h.
func (h *lateHandler) isIn(srv *http.Server) bool {
	in, ok := srv.Handler.(*lateHandler)
	return ok && in == h
}

// graphHandler is the http.Handler of the graph, nil in it if there is none.
type graphHandler struct{ http.Handler }

func newGraphHandler(h http.Handler) *graphHandler {
	if isNilHandler(h) {
		h = nil
	}
	return &graphHandler{h}
}

// noGraphHandler does not ask the graph for a handler, which would construct one that
// WithHandler replaces.
func noGraphHandler() *graphHandler { return nil }

// identity tells whether a server still has the handler that it had.
type identity struct {
	handler http.Handler // comparable
}

// namedHandler makes a handler comparable that is not: a function, say.
type namedHandler struct{ http.Handler }

// identify returns the identity of the server's handler, which it has to wrap if
// it cannot be compared.
func identify(srv *http.Server) identity {
	if h := srv.Handler; h != nil && !reflect.ValueOf(h).Comparable() {
		srv.Handler = &namedHandler{h}
	}
	return identity{srv.Handler}
}

func (id identity) isIn(srv *http.Server) bool {
	h := srv.Handler
	return (h == nil || reflect.ValueOf(h).Comparable()) && h == id.handler
}

// restore undoes the wrapping of identify.
func (id identity) restore(srv *http.Server) {
	if h, ok := srv.Handler.(*namedHandler); ok && h == id.handler {
		srv.Handler = h.Handler
	}
}

// isNil reports whether v is nil, or an interface that holds a nil pointer or function.
func isNil(v any) bool {
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Func:
		return rv.IsNil()
	}
	return false
}

// isNilHandler reports whether h would panic at each request. Other nil pointers than
// that of a ServeMux may well be handlers.
func isNilHandler(h http.Handler) bool {
	_, isMux := h.(*http.ServeMux)
	return isNil(h) && (h == nil || isMux || reflect.TypeOf(h).Kind() == reflect.Func)
}
