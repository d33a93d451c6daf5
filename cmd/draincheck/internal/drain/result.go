package drain

import (
	"time"
)

// Schema is the version of the JSON form of [Result]. Fields may be added under the same
// number.
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
	Schema      int          `json:"schema"`
	Verdict     string       `json:"verdict"`
	Error       string       `json:"error,omitempty"` // why the check could not be carried out, if it could not
	URL         string       `json:"url"`
	Target      string       `json:"target,omitempty"`  // what was loaded instead of URL
	Address     string       `json:"address,omitempty"` // the loopback address that was loaded
	Command     []string     `json:"command"`
	Signal      string       `json:"signal"` // "" with a stop command
	StopCommand string       `json:"stop_command,omitempty"`
	Total       Counts       `json:"total"`            // over all kinds and rounds
	Kinds       []Kind       `json:"kinds"`            // each over all rounds
	Rounds      []Round      `json:"rounds"`           // finished ones only
	Causes      []CauseCount `json:"causes,omitempty"` // of all requests that got no answer
	Holds       []Hold       `json:"holds,omitempty"`  // what kept a process from ending
	Notes       []string     `json:"notes,omitempty"`
}

// A CauseCount says how many requests got no answer for one cause.
type CauseCount struct {
	Cause Cause          `json:"cause"`
	Count int            `json:"count"`
	Early int            `json:"early,omitempty"` // those of Count that were known before the signal
	Kinds map[string]int `json:"kinds"`
	Means string         `json:"means"`
	Hint  string         `json:"hint"`
}

// Counts account for requests. Each one of which at least one byte may have left is in
// Sent, and in exactly one of Answered, Lost, RefusedStreams, BehindClose and CutByKill.
type Counts struct {
	Sent           int `json:"sent"`
	Answered       int `json:"answered"`        // a complete response came, whatever its status
	Lost           int `json:"lost"`            // no complete response came
	RefusedStreams int `json:"refused_streams"` // HTTP/2: above GOAWAY's last stream, or REFUSED_STREAM
	BehindClose    int `json:"behind_close"`    // sent before a response with Connection: close, and behind it
	CutByKill      int `json:"cut_by_kill"`     // draincheck killed the process before it answered

	Errors           int `json:"errors"`            // those of Answered with a status of 500 or more
	ErrorsBefore     int `json:"errors_before"`     // those of Errors that were answered before the signal
	Unexpected       int `json:"unexpected"`        // those of Answered with a status that is not expected
	UnexpectedBefore int `json:"unexpected_before"` // those of Unexpected that were answered before the signal
	Slow             int `json:"slow"`              // those of Answered that took longer than the limit for slow ones
	LostBefore       int `json:"lost_before"`       // those of Lost that were written before the signal
	LostEarly        int `json:"lost_early"`        // those of Lost that were known before it: the stop did not cause them
	InFlight         int `json:"in_flight"`         // those of Sent that were under way at the signal
	AnsweredBefore   int `json:"answered_before"`   // those of Answered that were answered before the signal
	RefusedDials     int `json:"refused_dials"`     // connections refused or reset before a request was sent
	RefusedBefore    int `json:"refused_before"`    // those of RefusedDials that came before the signal
	DialErrors       int `json:"dial_errors"`       // connections that failed in another way, such as a timeout
	ClosedIdle       int `json:"closed_idle"`       // connections found closed before the next request: no loss
	Unframed         int `json:"unframed_answers"`  // those of Answered whose end only the connection's end told
	Withdrawn        int `json:"withdrawn"`         // given up by draincheck before the signal; in none of the others
}

func (c *Counts) add(o Counts) {
	c.Sent += o.Sent
	c.Answered += o.Answered
	c.Lost += o.Lost
	c.RefusedStreams += o.RefusedStreams
	c.BehindClose += o.BehindClose
	c.CutByKill += o.CutByKill
	c.Unexpected += o.Unexpected
	c.UnexpectedBefore += o.UnexpectedBefore
	c.Slow += o.Slow
	c.LostEarly += o.LostEarly
	c.Withdrawn += o.Withdrawn
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
	return c.Sent == c.Answered+c.Lost+c.RefusedStreams+c.BehindClose+c.CutByKill
}

// A Kind is one kind of load and what became of it.
type Kind struct {
	Name    string `json:"kind"`
	Clients int    `json:"clients"`
	Counts

	Statuses Statuses `json:"statuses,omitempty"`       // answers by status code
	Before   *Latency `json:"latency_before,omitempty"` // of requests answered before the signal
	During   *Latency `json:"latency_during,omitempty"` // of requests answered after it

	Ends      *Ends      `json:"ends,omitempty"`      // streams and WebSockets: how they ended
	Obstacles *Obstacles `json:"obstacles,omitempty"` // silent and half-header connections: when they were closed
}

// A Latency sums up how long answers took, from the first byte written to the last one
// read.
type Latency struct {
	Count int    `json:"count"`
	P50   Millis `json:"p50_ms"`
	P99   Millis `json:"p99_ms"`
	Max   Millis `json:"max_ms"`
}

// Ends count how streams and WebSockets ended. All but the two Before fields are about
// those open at the signal.
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
	Kind  string `json:"kind"`
	Round int    `json:"round"`
	Cause Cause  `json:"cause"`
	Early bool   `json:"early,omitempty"` // known before the signal

	// What finds it in a capture or a log. Bytes are those of the socket: with TLS, of
	// its records. Over HTTP/2 they are those of the stream's frames.
	LocalPort int       `json:"local_port,omitempty"`
	Stream    uint32    `json:"stream,omitempty"`
	WrittenAt time.Time `json:"written_at"`
	FailedAt  time.Time `json:"failed_at"`
	Sent      int64     `json:"sent_bytes"`
	Received  int64     `json:"received_bytes"`
	Status    int       `json:"status,omitempty"`

	Written Millis `json:"written_ms"` // when its first byte was written, after the signal (negative: before)
	Failed  Millis `json:"failed_ms"`  // when that was known, after the signal
	Error   string `json:"error"`
}

// maxLosses is how many losses a round names. Counts and causes count them all.
const maxLosses = 1000

// A Round is one start and stop of the command.
type Round struct {
	Round       int          `json:"round"`
	Verdict     string       `json:"verdict"`
	Reasons     []string     `json:"reasons,omitempty"`        // why the verdict is not pass
	PortClosed  *Millis      `json:"port_closed_ms,omitempty"` // from the signal to the first refused dial
	Exited      Millis       `json:"exited_ms"`                // from the signal to the command's end
	ExitCode    int          `json:"exit_code"`                // -1 if a signal ended it
	ExitSignal  string       `json:"exit_signal,omitempty"`    // the signal that ended it
	Killed      bool         `json:"killed"`                   // it had not ended in time, and was killed
	StillOpen   bool         `json:"still_open"`               // the port was still served after the command had ended
	ExitUnknown bool         `json:"exit_unknown,omitempty"`   // somebody else started the process, and knows its exit code
	LeftBehind  bool         `json:"left_behind"`              // processes that it started were still running, and were killed
	BadStatus   int          `json:"bad_status"`               // answers after the signal with a status that was not there before
	Steps       []Step       `json:"steps,omitempty"`          // of a rollout
	Total       Counts       `json:"total"`
	Kinds       []Kind       `json:"kinds"`
	Causes      []CauseCount `json:"causes,omitempty"`
	Losses      []Loss       `json:"losses,omitempty"`
	NotLost     []Loss       `json:"not_lost,omitempty"` // refused streams, and requests that draincheck cut
	Timeline    *Timeline    `json:"timeline,omitempty"`
	Notes       []string     `json:"notes,omitempty"`
	Output      string       `json:"output,omitempty"` // the end of what it printed, unless the verdict is pass
}

// Progress is where a check stands.
type Progress struct {
	Round, Rounds int
	Phase         string // "starting", "loading", "stopping"
	Since         time.Duration
	Total         Counts // of this round
}

// A Step is one stop and start within a rollout.
type Step struct {
	Round      int     `json:"round"`
	At         Millis  `json:"at_ms"`              // of the stop, since the load began
	Ended      *Millis `json:"ended_ms,omitempty"` // from the stop to the process's end
	Ready      *Millis `json:"ready_ms,omitempty"` // from the stop until the server answered again
	ExitCode   *int    `json:"exit_code,omitempty"`
	ExitSignal string  `json:"exit_signal,omitempty"`
	Killed     bool    `json:"killed,omitempty"`
	PID        int     `json:"pid"`
	Successor  int     `json:"successor,omitempty"` // the process that serves now, if another one does
}
