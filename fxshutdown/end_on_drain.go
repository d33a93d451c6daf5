package fxshutdown

import (
	"context"
	"net/http"
	"time"
)

// EndOnDrain returns a handler that serves h and cancels the context of a request when
// its connection is told to go, with [ErrDraining] as the cause. It is for streams whose
// handlers do not know of [Draining]: httputil.ReverseProxy, libraries for server-sent
// events, grpc.Server.ServeHTTP.
//
// The context is cancelled at the moment when Draining closes. A request that has not
// flushed anything by then, or is younger than 250 ms, has 250 ms more, and one that
// begins later has 250 ms from its beginning, so that quick requests are answered. Put
// EndOnDrain around the routes of streams, not around other requests that take longer: a
// long response that is sent piece by piece looks like a stream. ReverseProxy answers 502
// to a request that is cancelled before the backend has answered.
//
// The request counts as a stream (Request.Stream), whether it has flushed something or
// not: a stop that has to cut it does not return an error for it. A request that was
// cancelled and whose handler then panics with http.ErrAbortHandler, writes less than it
// declares, or fails to write, has ended (Report.Ended). One whose handler returns
// normally is answered; one whose handler panics with another value has failed.
//
// What the client sees is up to the handler. If the handler returns normally, the
// response is complete: over HTTP/1 the last chunk is sent, over HTTP/2 END_STREAM. After
// http.ErrAbortHandler, an HTTP/1 connection is closed without the last chunk, and an
// HTTP/2 stream is reset with INTERNAL_ERROR (2). grpc.Server.ServeHTTP ends the response
// with the status that the service returns, if that is quick enough, or without one;
// grpc-go's client then reports codes.Internal (measured with v1.82: 8 of 12 had the
// status, 4 codes.Internal).
//
// A handler that hijacks its connection and does not look at its context loses the
// connection 500 ms later, or after Config.HijackGrace if that is shorter: our side is
// closed first, the rest 100 ms later. Report.HijackedClosedRequests lists it; the reason
// is ErrDraining or ErrHijackGrace.
//
// EndOnDrain costs each such request a goroutine. Where no [Server] serves the request,
// such as in a test with net/http/httptest, h is called as it is. EndOnDrain panics if h
// is nil.
func EndOnDrain(h http.Handler) http.Handler {
	if f, ok := h.(http.HandlerFunc); h == nil || ok && f == nil {
		panic("fxshutdown: EndOnDrain of a nil handler")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x, _ := r.Context().Value(exchangeKey{}).(*exchange)
		if x == nil {
			h.ServeHTTP(w, r)
			return
		}
		x.serveUntilDrain(h, w, r)
	})
}

// drainNotice is what the handler of a request knows about the drain.
type drainNotice uint8

const (
	notNoticed       drainNotice = iota
	asksForDraining              // it has asked for Draining
	endsOnDrain                  // EndOnDrain will cancel its context
	cancelledOnDrain             // EndOnDrain has cancelled it
	abandonedOnDrain             // the same, and the handler then panicked with http.ErrAbortHandler
)

func (x *exchange) serveUntilDrain(h http.Handler, w http.ResponseWriter, r *http.Request) {
	told := x.draining()
	x.notice(endsOnDrain)
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	go x.cancelOnDrain(ctx, told, cancel)
	returned := false
	defer func() {
		// Before the request is told to end, a panic passes untouched. A new panic with
		// the same value from this function preserves the stack that net/http logs.
		if returned || !x.wasToldToEnd() {
			return
		}
		v := recover()
		if v == http.ErrAbortHandler {
			x.notice(abandonedOnDrain)
		}
		if v != nil { // otherwise it is runtime.Goexit
			panic(v)
		}
	}()
	h.ServeHTTP(w, r.WithContext(ctx))
	returned = true
}

// cancelOnDrain cancels ctx when it is time. It ends with the request.
func (x *exchange) cancelOnDrain(ctx context.Context, told <-chan struct{}, cancel context.CancelCauseFunc) {
	select {
	case <-told:
	case <-ctx.Done():
		return
	}
	t := time.NewTimer(x.endsIn())
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return
	}
	x.notice(cancelledOnDrain) // first: its handler may end at once
	cancel(ErrDraining)
}

// notice notes what the handler knows, which can only grow.
func (x *exchange) notice(n drainNotice) {
	c := x.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	x.noticed = max(x.noticed, n)
	if x.hijacked {
		c.takeover.followLocked(x)
	}
}

// followLocked notes what the handler of the request, x, knows about the drain.
func (t *takeover) followLocked(x *exchange) {
	t.stream, t.ends = x.streams(), x.noticed >= endsOnDrain
}

// endsIn returns how much longer a request is left alone. Its connection has just
// retired, or had retired before the request began.
func (x *exchange) endsIn() time.Duration {
	c := x.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	retiredAt := c.exit.at
	if (x.flushed || x.hijacked) && retiredAt >= x.start+quickRequest {
		return 0
	}
	return max(retiredAt, x.start) + quickRequest - c.set.now()
}

// wasToldToEnd reports whether EndOnDrain, or the stop, has cancelled a request of
// EndOnDrain.
func (x *exchange) wasToldToEnd() bool {
	x.conn.mu.Lock()
	defer x.conn.mu.Unlock()
	return x.wasToldToEndLocked()
}

func (x *exchange) wasToldToEndLocked() bool {
	return x.noticed > endsOnDrain || x.noticed == endsOnDrain && x.cancelled
}

// hasEndedLocked reports whether a request that was told to end has done so without a
// complete response.
func (x *exchange) hasEndedLocked(returned, short bool) bool {
	if !returned {
		return x.noticed == abandonedOnDrain
	}
	return x.wasToldToEndLocked() && (short || x.response&writeFailed != 0)
}
