// Package results keeps what was measured: as JSON, which a later run merges into, and as
// the table of the README.
package results

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// A Result is what one configuration did with one kind of service.
type Result struct {
	Recipe string `json:"recipe"`
	Config string `json:"config"`
	Side   string `json:"side"` // fxhttp or net/http

	Rolls     int `json:"rolls"`
	Sent      int `json:"sent"`
	Lost      int `json:"lost"`       // no complete response
	BadStatus int `json:"bad_status"` // answered with something other than 2xx and 3xx: a proxy's 502 or 503
	Refused   int `json:"refused"`    // connections, and HTTP/2 streams, which are safe to repeat
	Slow      int `json:"slow"`       // answered after 0.9 s or later, without requests that are slow by themselves

	Statuses map[int]int    `json:"statuses,omitempty"` // those of BadStatus
	Causes   map[string]int `json:"causes,omitempty"`   // those of Lost, and of refused streams

	P99   Millis   `json:"p99_ms"` // of the kind of client for which it is longest
	Stops Stops    `json:"stops"`
	Ends  *Streams `json:"streams,omitempty"`

	Tools   map[string]string `json:"tools,omitempty"` // versions
	Load    [2]float64        `json:"load"`            // the machine's load average over a minute, before and after
	CPUs    int               `json:"cpus"`
	Date    string            `json:"date"`
	Comment string            `json:"comment,omitempty"`
}

// Failed is how many requests a user would have seen fail.
func (r *Result) Failed() int { return r.Lost + r.BadStatus }

// Stops sums up how long instances took to stop, from the signal to the end of the
// process.
type Stops struct {
	Count  int    `json:"count"`
	Median Millis `json:"median_ms"`
	Max    Millis `json:"max_ms"`
	Failed int    `json:"failed"` // ended with an exit code other than 0
}

// Streams say how event streams and WebSockets ended that were open before the first
// stop.
type Streams struct {
	Polite int `json:"polite"` // with the last chunk, END_STREAM, or a Close frame
	Cut    int `json:"cut"`
}

// Millis is a duration in milliseconds.
type Millis float64

// MillisOf converts d.
func MillisOf(d time.Duration) Millis { return Millis(float64(d.Microseconds()) / 1000) }

// Duration converts m back.
func (m Millis) Duration() time.Duration {
	return time.Duration(float64(m) * float64(time.Millisecond))
}

// Set are the results of many runs: one for each configuration and side.
type Set []Result

// Read reads the results of a file, none if there is no such file.
func Read(name string) (Set, error) {
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var s Set
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// Write writes them to a file.
func (s Set) Write(name string) error {
	data, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(data, '\n'), 0o644)
}

// Find returns the result of a configuration and side, or nil.
func (s Set) Find(recipe, config, side string) *Result {
	for i := range s {
		if r := &s[i]; r.Recipe == recipe && r.Config == config && r.Side == side {
			return r
		}
	}
	return nil
}

// Merge returns s with r in place of the result of the same configuration and side, if
// there is one.
func (s Set) Merge(r Result) Set {
	if old := s.Find(r.Recipe, r.Config, r.Side); old != nil {
		*old = r
		return s
	}
	return append(s, r)
}
