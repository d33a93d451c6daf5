package fxhttpadmin

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// safely serves only GET and HEAD, and forbids caching.
func safely(serve http.HandlerFunc) http.Handler {
	return forMethods("GET, HEAD", func(m string) bool { return m == http.MethodGet || m == http.MethodHead }, serve)
}

func forMethods(allowed string, isAllowed func(method string) bool, serve http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		if !isAllowed(r.Method) {
			h.Set("Allow", allowed)
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		serve(w, r)
	})
}

func writeText(w http.ResponseWriter, status int, text []byte) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	w.Write(text) // an error means that the client is gone
}

func writeJSON(w http.ResponseWriter, v any) {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		http.Error(w, "the response cannot be encoded as JSON", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(b.Bytes()) // an error means that the client is gone
}
