// Package app is the application that every Go server here serves, and the command line that they share, so that they
// differ only in the way they serve and stop.
package app

import (
	"flag"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"time"
)

// Settings are what the command line of a server says.
type Settings struct {
	Addr  string
	Limit time.Duration // how long a stop may take
	Cert  string        // PEM files; with them the server speaks TLS, and HTTP/2 where it can
	Key   string

	// Of the http.Server. Zero leaves them to the library: most have none.
	ReadHeaderTimeout time.Duration
	IdleTimeout       time.Duration
}

// TLS reports whether the server is to speak TLS.
func (s Settings) TLS() bool { return s.Cert != "" }

// Parse reads the command line.
func Parse() Settings {
	var s Settings
	flag.StringVar(&s.Addr, "addr", "127.0.0.1:8080", "address to listen on")
	flag.DurationVar(&s.Limit, "limit", 15*time.Second, "how long a stop may take")
	flag.StringVar(&s.Cert, "cert", "", "certificate; with it and -key the server speaks TLS")
	flag.StringVar(&s.Key, "key", "", "key of the certificate")
	flag.DurationVar(&s.ReadHeaderTimeout, "read-header-timeout", 0, "ReadHeaderTimeout of the server")
	flag.DurationVar(&s.IdleTimeout, "idle-timeout", 0, "IdleTimeout of the server")
	flag.Parse()
	return s
}

// Server returns the http.Server of those libraries that take one.
func (s Settings) Server() *http.Server {
	return &http.Server{
		Addr:              s.Addr,
		Handler:           Handler(),
		ReadHeaderTimeout: s.ReadHeaderTimeout,
		IdleTimeout:       s.IdleTimeout,
	}
}

// Handler serves the routes of all servers here:
//
//	/            reads the body and answers at once
//	/slow        answers after 400 ms, or after ?ms=
//	/stuck       never answers, and does not care about its context
//	/memory      collects garbage and answers how many bytes are in use then
//	/cpu         answers how many microseconds of processor time were used so far
func Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "hello, world\n")
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		ms, err := strconv.Atoi(r.FormValue("ms"))
		if err != nil {
			ms = 400
		}
		time.Sleep(time.Duration(ms) * time.Millisecond)
		io.WriteString(w, "that took a while\n")
	})
	mux.HandleFunc("/stuck", func(http.ResponseWriter, *http.Request) {
		select {}
	})
	mux.HandleFunc("/memory", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, strconv.FormatUint(inUse(), 10))
	})
	mux.HandleFunc("/cpu", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, strconv.FormatInt(cpu().Microseconds(), 10))
	})
	return mux
}

// inUse counts stacks too: an idle connection is mostly the stack of its goroutine.
func inUse() uint64 {
	// What lies in a sync.Pool survives one collection.
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
