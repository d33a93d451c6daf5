package fxshutdown

import "time"

// moment is a point in time, counted from the epoch of the server. It is
// monotonic, and a third of the size of a time.Time. Zero means never, or none.
type moment = time.Duration

// longAgo is the moment of every deadline in the past.
const longAgo moment = 1

// Every time that the engine chooses on its own is in this table. What users may choose
// is in Config.
const (
	// maxDuration bounds every duration, so that sums of moments do not overflow: 36
	// years.
	maxDuration = 1 << 60 * time.Nanosecond

	// schedulingSlack is how long something may take that would be done at once if there
	// were no bug and enough processors; lateSlack is the same when no time is left.
	schedulingSlack = 50 * time.Millisecond
	lateSlack       = 5 * time.Millisecond

	// maxStopReserve and maxForceWindow bound what is otherwise a tenth of the
	// time left when Stop begins.
	maxStopReserve = 2 * time.Second
	maxForceWindow = 500 * time.Millisecond

	// sweepRest is the pause after a look at all connections, as a multiple of what the
	// look took: so these looks take at most a fifth of a processor.
	sweepRest = 4

	// progressAfter is how long a drain goes on before it logs what it waits for.
	progressAfter = 2 * time.Second

	// maxFlush is how long Start and Stop wait for a Logger.
	maxFlush = 100 * time.Millisecond
)

// The accept queue.
const (
	// queueLook is how long an accept waits for a connection. It must be long enough for
	// the goroutine that has set the deadline to call accept in time: an accept whose
	// deadline has passed fails without looking at the queue.
	queueLook = time.Millisecond

	// queueStillLooks is how often in a row the queue must look empty, where the kernel
	// does not know who is on the way to it.
	queueStillLooks = 3

	// queueGap is how long nobody must come where new clients cannot be kept away and
	// more than fewQueued have come: then they do not stop coming. With 64 clients that
	// keep dialling, closing in the first gap of 0.2 ms lost none in 40 stops; waiting
	// for a gap of 3 ms lost 14 to 20 per stop, after 250 ms.
	queueGap  = 200 * time.Microsecond
	fewQueued = 4

	// maxQueue bounds the emptying of the queue, which a flood never lets run empty.
	// maxHandshake does so where new clients are kept away and the stop waits for the
	// handshakes under way: a round trip, and one lost packet.
	maxQueue     = 250 * time.Millisecond
	maxHandshake = time.Second

	// minAsk and maxAsk are how long after an answer the kernel is asked again who
	// is on the way: it takes up to 3 ms to answer.
	minAsk = 4 * time.Millisecond
	maxAsk = 16 * time.Millisecond

	// maxStarvedDelay bounds the pause after an accept that failed while the queue
	// is emptied.
	maxStarvedDelay = 5 * time.Millisecond

	// unknownQueue is the assumed length of the queue where the kernel does not report
	// it: the bound of macOS and the BSDs (kern.ipc.somaxconn).
	unknownQueue = 128

	// queueStill is how long an accept of a listener without deadlines must have waited
	// without getting a connection, as seen by looks every queueStillLook. An accept of a
	// socket waits for the runtime's poller, and on a busy machine a goroutine that the
	// poller has woken may wait for a processor while others run: with 5 ms, clients were
	// lost in 1 of 500 stops with six test processes side by side, with 50 ms in none of
	// 1,400.
	queueStill       = 5 * time.Millisecond
	queueStillSocket = 50 * time.Millisecond
	queueStillLook   = 500 * time.Microsecond

	// minAcceptDelay and maxAcceptDelay bound the pause after a temporary error.
	minAcceptDelay = 5 * time.Millisecond
	maxAcceptDelay = time.Second

	// limitLook is how often, at the limit of connections, the server looks whether
	// clients wait; limitPause is how long it does not report that again.
	limitLook  = time.Second
	limitPause = time.Minute
)

// A connection that waits for a request.
const (
	// lastRead is how long before its drop a quiet connection is read from once more. A
	// reader that a deadline has woken has not looked into the kernel's buffer again;
	// this read does.
	lastRead = time.Millisecond

	// lastReads is the number of parts into which lastRead is divided: a read that was
	// preempted until its deadline had passed does not look at all.
	lastReads = 2

	// maxTrickle is how much longer than IdleGrace a client that has sent something may
	// be quiet, and all the time that it can gain by sending a byte now and then.
	maxTrickle = 300 * time.Millisecond

	// maxClientWait is how much longer than IdleGrace into the drain a quiet connection
	// is kept because its client is not. A far client has clientRounds round trips more,
	// up to maxFarClientWait: a pool of which one connection in so many is in use needs
	// that many to reach for each of them. With 300 ms alone a pool of 32 with 4 in use,
	// 40 ms away, lost 4 requests in 5 stops, and on a busy machine one of 256 with 16 in
	// use, 4 ms away, lost 14 in one of 19.
	maxClientWait    = 500 * time.Millisecond
	clientRounds     = 16
	maxFarClientWait = 2 * time.Second

	// maxInterruptWait is how long an interrupted reader may take to wake, on a busy
	// machine, before it counts as deaf to deadlines.
	maxInterruptWait = time.Second

	// maxServerStall bounds what is not the client's doing: a goroutine of ours that
	// computes, or a user's hook, such as GetCertificate, that blocks it.
	maxServerStall = 2 * time.Second
)

// A connection that ends.
const (
	// cutDelay is how long a connection that was asked to end may take to do so
	// before it is cut.
	cutDelay = 100 * time.Millisecond

	// maxLinger bounds how long a connection that was told to close, or by GOAWAY, is
	// read on, so that what its client had sent behind the last request does not make
	// the kernel answer with a reset, which destroys what is on its way to the client
	// (RFC 9112, section 9.6). net/http waits as long (rstAvoidanceDelay).
	maxLinger = 500 * time.Millisecond

	// maxUnread is how long a client may take none of the bytes that are on their way to
	// it before it counts as not reading them.
	maxUnread = time.Second

	// goAwayWait is the longest time for which a client is still held back after GOAWAY
	// was asked for: running requests may need what it has sent before GOAWAY can be
	// written.
	goAwayWait = 50 * time.Millisecond

	// goAwayWritten is how long after GOAWAY was written an HTTP/2 connection is closed
	// from our side; goAwayLikely, after something was written that may have been the end
	// of a response alone; and goAwayMissing, after GOAWAY was asked for and nothing was
	// written: it had been sent before, and net/http ends the connection by then
	// (goAwayTimeout). On a busy machine GOAWAY comes late: when they were closed after
	// 50 ms, connections with 8 requests on their way lost 33 in 640 stops.
	goAwayWritten = 5 * time.Millisecond
	goAwayLikely  = 250 * time.Millisecond
	goAwayMissing = time.Second

	// goAwayGap is how long before GOAWAY the last response counts as written, if no
	// write has shown that. httpx 0.23 loses a response that it reads together with
	// GOAWAY.
	goAwayGap = 5 * time.Millisecond

	// maxHold is how long a busy HTTP/2 client is held back, and GOAWAY with it, so
	// that its running requests end.
	maxHold = 500 * time.Millisecond

	// quickRequest is how long a request under EndOnDrain is left alone if it has not
	// begun to stream when its connection retires, or begins later: it may be a quick
	// one, which should be answered. It is as long as the default of IdleGrace, for which
	// a stop waits for late requests anyway, so it makes hardly any stop longer.
	quickRequest = 250 * time.Millisecond

	// maxEndHijacked is HijackGrace for a connection that was hijacked under EndOnDrain,
	// if that is not shorter: a handler that looks at its context has long closed it by
	// then.
	maxEndHijacked = 500 * time.Millisecond

	// takeoverCheck is how often a hijacked connection is asked whether it was closed
	// through what the hooks saw of it: there is no event for that.
	takeoverCheck = 250 * time.Millisecond

	// recheck is how soon a connection is looked at again if there is no event for it.
	recheck = 50 * time.Millisecond
)

// earliest returns the smallest moment that is not zero.
func earliest(ms ...moment) (first moment) {
	for _, m := range ms {
		if m != 0 && (first == 0 || m < first) {
			first = m
		}
	}
	return first
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
