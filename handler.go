package fxhttp

import (
	"net/http"
	"reflect"
)

// lateHandler is a stand-in, in an http.Server, for the handler of the graph, which is
// constructed later because it may inject the server. With the stand-in, an fx.Decorate,
// or an fx.Invoke listed before Module, has something to wrap.
type lateHandler struct {
	next http.Handler // set when the server's hook is appended; nil if there is none
}

// ServeHTTP is reached only through middleware: an unwrapped lateHandler is replaced.
func (h *lateHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.next == nil {
		http.Error(w, "fxhttp: the server has no http.Handler", http.StatusInternalServerError)
		return
	}
	h.next.ServeHTTP(w, r)
}

// isIn reports whether h is the handler of srv, neither replaced nor wrapped.
func (h *lateHandler) isIn(srv *http.Server) bool {
	in, ok := srv.Handler.(*lateHandler)
	return ok && in == h
}

// graphHandler holds the http.Handler of the graph, or nil if there is none.
type graphHandler struct{ http.Handler }

func newGraphHandler(h http.Handler) *graphHandler {
	if isNilHandler(h) {
		h = nil
	}
	return &graphHandler{h}
}

// noGraphHandler takes the place of newGraphHandler with WithHandler: it does not ask the
// graph for a handler, so that Fx does not construct one that is not used.
func noGraphHandler() *graphHandler { return nil }

// identity remembers the handler of a server, to find out later whether it is the same.
type identity struct {
	handler http.Handler // comparable
}

// namedHandler wraps a handler that is not comparable, such as a function: its address
// can be compared.
type namedHandler struct{ http.Handler }

// identify returns the identity of the server's handler. It wraps a handler that is not
// comparable, until restore.
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

// isNilHandler reports whether h is nil in a way that panics at each request. Nil pointers
// of types other than ServeMux may be valid handlers.
func isNilHandler(h http.Handler) bool {
	_, isMux := h.(*http.ServeMux)
	return isNil(h) && (h == nil || isMux || reflect.TypeOf(h).Kind() == reflect.Func)
}
