package fxshutdown_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// serve starts a server on a free port, as the package's example does.
func serve(handler http.HandlerFunc, cfg fxshutdown.Config) *fxshutdown.Server {
	s, err := fxshutdown.New(&http.Server{Addr: "127.0.0.1:0", Handler: handler}, cfg)
	if err == nil {
		err = s.Start(context.Background())
	}
	if err != nil {
		log.Fatal(err)
	}
	return s
}

// stopWithin stops a server, whose requests have at most the given time.
func stopWithin(s *fxshutdown.Server, d time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return s.Stop(ctx)
}

// open sends a request, and returns the response when its header has arrived.
func open(s *fxshutdown.Server, path string) *http.Response {
	resp, err := http.Get(fmt.Sprintf("http://%v%s", s.Addr(), path))
	if err != nil {
		log.Fatal(err)
	}
	return resp
}

// show sends a request, and prints the response.
func show(s *fxshutdown.Server, path string) {
	resp := open(s, path)
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Printf("%d %s", resp.StatusCode, body)
}

func greet(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello") }

// A server from start to stop.
func Example() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello", greet)
	srv := &http.Server{Addr: "127.0.0.1:0", Handler: mux, ReadHeaderTimeout: 10 * time.Second}

	s, err := fxshutdown.New(srv, fxshutdown.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Start(context.Background()); err != nil { // listens, and serves in the background
		log.Fatal(err)
	}
	show(s, "/hello") // in a program: <-ctx.Done(), with signal.NotifyContext

	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil { // returns when the last handler has returned
		log.Fatal(err)
	}
	fmt.Println("graceful:", s.Report().Graceful())
	// Output:
	// 200 hello
	// graceful: true
}

// One error names all settings that cannot work.
func ExampleNew() {
	_, err := fxshutdown.New(&http.Server{}, fxshutdown.Config{
		MaxConnections: -1,
		RequestGrace:   time.Minute,
		DrainTimeout:   10 * time.Second,
	})
	fmt.Println(err)
	// Output:
	// fxshutdown: MaxConnections -1 is negative: zero means no limit
	// RequestGrace 1m0s has no effect: DrainTimeout 10s ends the drain first
}

// A request that does not end in time is aborted, and makes Stop return an error.
func ExampleServer_Stop() {
	entered := make(chan struct{})
	s := serve(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done() // cancelled shortly before the time is over
		fmt.Println("cause:", context.Cause(r.Context()))
		panic(http.ErrAbortHandler)
	}, fxshutdown.Config{})
	go http.Post(fmt.Sprintf("http://%v/orders", s.Addr()), "text/plain", nil)
	<-entered

	err := stopWithin(s, 500*time.Millisecond)
	var aborted *fxshutdown.AbortedError
	if errors.As(err, &aborted) {
		for _, r := range aborted.Requests {
			fmt.Println("aborted:", r.Method, r.Path)
		}
	}
	fmt.Println("out of time:", errors.Is(err, context.DeadlineExceeded))
	// Output:
	// cause: fxshutdown: the server is stopping: no time left (stop timeout less StopReserve, or DrainTimeout)
	// aborted: POST /orders
	// out of time: true
}

// Close ends a stop that takes too long, for example at a second Ctrl-C.
func ExampleServer_Close() {
	entered, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	s := serve(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	}, fxshutdown.Config{})
	go http.Get(fmt.Sprintf("http://%v/long", s.Addr()))
	<-entered

	stopped := make(chan error)
	go func() { stopped <- s.Stop(context.Background()) }() // for as long as it takes
	<-s.Draining()
	s.Close()
	<-stopped
	fmt.Println("forced:", errors.Is(s.Report().Forced, fxshutdown.ErrForced))
	// Output: forced: true
}

// Another server, which outlives this one, answers the probes.
func ExampleServer_ReadyHandler() {
	s := serve(greet, fxshutdown.Config{})
	admin := serve(s.ReadyHandler().ServeHTTP, fxshutdown.Config{})
	defer admin.Close()

	show(admin, "/readyz")
	if err := stopWithin(s, time.Second); err != nil {
		fmt.Println(err)
	}
	show(admin, "/readyz")
	// Output:
	// 200 ready
	// 503 not ready
}

// A server that knows that it will stop makes load balancers send new clients elsewhere,
// and serves on.
func ExampleServer_SetUnready() {
	s := serve(greet, fxshutdown.Config{ShutdownDelay: 50 * time.Millisecond})
	admin := serve(s.ReadyHandler().ServeHTTP, fxshutdown.Config{})
	defer admin.Close()

	s.SetUnready("drained by its operator")
	<-s.Unready() // the time to leave a service registry
	show(admin, "/readyz")
	show(s, "/")
	time.Sleep(50 * time.Millisecond)

	stopWithin(s, time.Second) // the delay is over already
	fmt.Println(s.Report().Phases[0].Name)
	// Output:
	// 503 not ready
	// 200 hello
	// announce
}

// Stats shows what a server is doing, for metrics.
func ExampleServer_Stats() {
	s := serve(greet, fxshutdown.Config{})
	defer s.Close()
	show(s, "/")
	show(s, "/")

	stats := s.Stats()
	fmt.Println("connections:", stats.Accepted, "requests:", stats.Requests, "in flight:", stats.InFlight)
	// Output:
	// 200 hello
	// 200 hello
	// connections: 1 requests: 2 in flight: 0
}

// InFlight lists the running requests, the oldest first.
func ExampleServer_InFlight() {
	entered, release := make(chan struct{}), make(chan struct{})
	s := serve(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-release
	}, fxshutdown.Config{})
	defer s.Close()
	defer close(release)
	go http.Get(fmt.Sprintf("http://%v/report?token=secret", s.Addr()))
	<-entered

	for _, r := range s.InFlight() {
		fmt.Println(r.Method, r.Path, r.Proto) // never the query
	}
	// Output: GET /report HTTP/1.1
}

// Progress shows what a stop waits for while it runs.
func ExampleServer_Progress() {
	entered, release := make(chan struct{}), make(chan struct{})
	s := serve(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-release
	}, fxshutdown.Config{})
	go http.Get(fmt.Sprintf("http://%v/report", s.Addr()))
	<-entered
	stopped := make(chan error)
	go func() { stopped <- stopWithin(s, 10*time.Second) }()
	<-s.Draining()

	p := s.Progress()
	fmt.Println("limited:", !p.EndAt.IsZero(), "force comes first:", p.ForceAt.Before(p.EndAt))
	for _, r := range p.WaitsFor {
		fmt.Println("waits for:", r.Method, r.Path)
	}
	close(release)
	fmt.Println(<-stopped)
	// Output:
	// limited: true force comes first: true
	// waits for: GET /report
	// <nil>
}

// Report shows what a stop did.
func ExampleServer_Report() {
	entered := make(chan struct{})
	s := serve(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		time.Sleep(100 * time.Millisecond)
		greet(w, r)
	}, fxshutdown.Config{})
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		show(s, "/slow")
	}()
	<-entered
	stopWithin(s, 10*time.Second)
	<-answered

	r := s.Report()
	fmt.Println("graceful:", r.Graceful())
	fmt.Println("during the stop:", r.Requests, "answered:", r.Answered, "aborted:", r.Aborted)
	for _, p := range r.Phases {
		fmt.Println("phase:", p.Name)
	}
	// Output:
	// 200 hello
	// graceful: true
	// during the stop: 1 answered: 1 aborted: 0
	// phase: announce
	// phase: listener
	// phase: drain
}

// Retire tells clients to connect anew while the server serves, here those whose
// connections are old: they reach an instance that has joined since.
func ExampleServer_Retire() {
	s := serve(greet, fxshutdown.Config{})
	defer s.Close()
	show(s, "/") // a keep-alive connection is open now

	retired := s.Retire(func(c fxshutdown.ConnInfo) bool { return c.Age > 0 })
	fmt.Println("retired:", retired)
	resp := open(s, "/")
	resp.Body.Close()
	fmt.Println("the response says close:", resp.Close)
	// Output:
	// 200 hello
	// retired: 1
	// the response says close: true
}
