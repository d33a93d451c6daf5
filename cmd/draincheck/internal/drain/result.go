package drain

import (
	"fmt"
	"time"
)

// Schema is the version of the JSON form of [Result]. Fields may be added under the same number.
const Schema = 1

// Verdicts.
const (
	Pass  = "pass"  // nothing was lost, and the command ended in time, in every round
	Fail  = "fail"  // something was lost, or the command did not end in time
	Error = "error" // the check could not be carried out
)

// A Millis is a duration that JSON shows in milliseconds.
type Millis float64

func millis(d time.Duration) Millis { return Millis(float64(d.Microseconds()) / 1000) }

// Duration converts m back.
func (m Millis) Duration() time.Duration {
	return time.Duration(float64(m) * float64(time.Millisecond))
}

// A Result is all that was seen.
type Result struct {
	Schema  int      `json:"schema"`
	Verdict string   `json:"verdict"`
	Error   string   `json:"error,omitempty"` // why the check could not be carried out, if it could not
	URL     string   `json:"url"`
	Address string   `json:"address,omitempty"` // the loopback address that was loaded
	Command []string `json:"command"`
	Signal  string   `json:"signal"`
	Total   Counts   `json:"total"`  // over all kinds and rounds
	Kinds   []Kind   `json:"kinds"`  // each over all rounds
	Rounds  []Round  `json:"rounds"` // finished ones only
	Notes   []string `json:"notes,omitempty"`
}

// Counts account for requests. Each one of which at least one byte may have left is in Sent, and in exactly one of
// Answered, Lost, RefusedStreams and BehindClose.
type Counts struct {
	Sent           int `json:"sent"`
	Answered       int `json:"answered"`        // a complete response came, whatever its status
	Lost           int `json:"lost"`            // no complete response came
	RefusedStreams int `json:"refused_streams"` // HTTP/2: above GOAWAY's last stream, or REFUSED_STREAM
	BehindClose    int `json:"behind_close"`    // sent before a response with Connection: close, and behind it

	Errors         int `json:"errors"`           // those of Answered with a status of 500 or more
	ErrorsBefore   int `json:"errors_before"`    // those of Errors that were answered before the signal
	LostBefore     int `json:"lost_before"`      // those of Lost that were written before the signal
	InFlight       int `json:"in_flight"`        // those of Sent that were under way at the signal
	AnsweredBefore int `json:"answered_before"`  // those of Answered that were answered before the signal
	RefusedDials   int `json:"refused_dials"`    // connections refused or reset before a request was sent
	RefusedBefore  int `json:"refused_before"`   // those of RefusedDials that came before the signal
	DialErrors     int `json:"dial_errors"`      // connections that failed in another way, such as a timeout
	ClosedIdle     int `json:"closed_idle"`      // connections found closed before the next request: no loss
	Unframed       int `json:"unframed_answers"` // those of Answered whose end only the connection's end told
}

func (c *Counts) add(o Counts) {
	c.Sent += o.Sent
	c.Answered += o.Answered
	c.Lost += o.Lost
	c.RefusedStreams += o.RefusedStreams
	c.BehindClose += o.BehindClose
	c.Errors += o.Errors
	c.ErrorsBefore += o.ErrorsBefore
	c.LostBefore += o.LostBefore
	c.InFlight += o.InFlight
	c.AnsweredBefore += o.AnsweredBefore
	c.RefusedDials += o.RefusedDials
	c.RefusedBefore += o.RefusedBefore
	c.DialErrors += o.DialErrors
	c.ClosedIdle += o.ClosedIdle
	c.Unframed += o.Unframed
}

// balanced says whether every request that was sent ended in exactly one way.
func (c *Counts) balanced() bool {
	return c.Sent == c.Answered+c.Lost+c.RefusedStreams+c.BehindClose
}

// A Kind is one kind of load and what became of it.
type Kind struct {
	Name    string `json:"kind"`
	Clients int    `json:"clients"`
	Counts

	Before *Latency `json:"latency_before,omitempty"` // of requests answered before the signal
	During *Latency `json:"latency_during,omitempty"` // of requests answered after it

	Ends      *Ends      `json:"ends,omitempty"`      // streams and WebSockets: how they ended
	Obstacles *Obstacles `json:"obstacles,omitempty"` // silent and half-header connections: when they were closed
}

// A Latency sums up how long answers took, from the first byte written to the last one read.
type Latency struct {
	Count int    `json:"count"`
	P50   Millis `json:"p50_ms"`
	P99   Millis `json:"p99_ms"`
	Max   Millis `json:"max_ms"`
}

// Ends count how streams and WebSockets ended. All but the two Before fields are about those open at the signal.
type Ends struct {
	Opened       int    `json:"opened"`
	PoliteBefore int    `json:"polite_before"` // ended with a goodbye before the signal
	CutBefore    int    `json:"cut_before"`    // ended without one before the signal
	Polite       int    `json:"polite"`        // chunked end, END_STREAM, Close frame
	EOF          int    `json:"eof"`           // the connection ended without a goodbye
	Reset        int    `json:"reset"`         // the connection or the HTTP/2 stream was reset
	Open         int    `json:"open"`          // still open when the command had ended: something else holds it
	Unframed     int    `json:"unframed"`      // those of Polite of which only the connection's end told
	LastEnd      Millis `json:"last_end_ms"`   // from the signal to the last end
}

// Cut is the number of those that ended without a goodbye.
func (e *Ends) Cut() int { return e.CutBefore + e.EOF + e.Reset + e.Open }

// Obstacles say when connections that ask for nothing were closed. They are never lost.
type Obstacles struct {
	Held         int      `json:"held"`          // open at the signal
	ClosedBefore int      `json:"closed_before"` // closed by the server before the signal, and made anew
	ClosedAfter  []Millis `json:"closed_after_ms"`
	Open         int      `json:"open"` // still open when the command had ended: something else holds them
}

// A Loss is a request of which bytes were written and to which no complete response came.
type Loss struct {
	Kind    string `json:"kind"`
	Round   int    `json:"round"`
	Written Millis `json:"written_ms"` // when its first byte was written, after the signal (negative: before)
	Failed  Millis `json:"failed_ms"`  // when that was known, after the signal
	Error   string `json:"error"`
}

// maxLosses is how many losses a round names. Counts.Lost counts them all.
const maxLosses = 200

// A Round is one start and stop of the command.
type Round struct {
	Round      int      `json:"round"`
	Verdict    string   `json:"verdict"`
	Reasons    []string `json:"reasons,omitempty"`        // why the verdict is not pass
	PortClosed *Millis  `json:"port_closed_ms,omitempty"` // from the signal to the first refused dial
	Exited     Millis   `json:"exited_ms"`                // from the signal to the command's end
	ExitCode   int      `json:"exit_code"`                // -1 if a signal ended it
	ExitSignal string   `json:"exit_signal,omitempty"`    // the signal that ended it
	Killed     bool     `json:"killed"`                   // it had not ended in time, and was killed
	StillOpen  bool     `json:"still_open"`               // the port was still served after the command had ended
	LeftBehind bool     `json:"left_behind"`              // processes that it started were still running, and were killed
	Total      Counts   `json:"total"`
	Kinds      []Kind   `json:"kinds"`
	Losses     []Loss   `json:"losses,omitempty"`
	Output     string   `json:"output,omitempty"` // the end of what it printed, unless the verdict is pass
}

// judge fills in the verdict and its reasons.
func (r *Round) judge(within time.Duration, failOnCut bool) {
	reason := func(format string, args ...any) { r.Reasons = append(r.Reasons, fmt.Sprintf(format, args...)) }
	if n := r.Total.Lost; n > 0 {
		reason("%d of %d requests lost", n, r.Total.Sent)
	}
	if r.Killed {
		reason("still running %v after the signal, killed", within)
	}
	if r.StillOpen {
		reason("the command ended, but its port was still served: a process that it started goes on " +
			"(with `go run`, build the server and run the binary, or use -group)")
	}
	cut := 0
	for _, k := range r.Kinds {
		if k.Ends != nil {
			cut += k.Ends.Cut()
		}
	}
	if failOnCut && cut > 0 {
		reason("%d streams or WebSockets cut without a goodbye", cut)
	}
	r.Verdict = Pass
	if len(r.Reasons) > 0 {
		r.Verdict = Fail
	}
}

// Progress is where a check stands.
type Progress struct {
	Round, Rounds int
	Phase         string // "starting", "loading", "stopping"
	Since         time.Duration
	Total         Counts // of this round
}
