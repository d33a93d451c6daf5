// Package results holds what was measured, sums it up, and judges where we stand.
package results

import (
	"encoding/json"
	"os"
	"time"

	"github.com/fxshutdown/fxhttp/bench/internal/load"
	"github.com/fxshutdown/fxhttp/bench/internal/probe"
	"github.com/fxshutdown/fxhttp/bench/internal/subject"
)

// Schema is the version of the JSON form.
const Schema = 1

// Results are all that one session measured.
type Results struct {
	Schema    int               `json:"schema"`
	Date      string            `json:"date"`
	Commit    string            `json:"commit,omitempty"` // of this repository
	Machine   Machine           `json:"machine"`
	Settings  Settings          `json:"settings"`
	Subjects  []subject.Subject `json:"subjects"`
	Absent    []Absent          `json:"absent"`
	Loads     []load.Kind       `json:"loads"`
	Obstacles []probe.Obstacle  `json:"obstacles"`

	Lost   []*Lost   `json:"lost"`
	Stop   []*Stop   `json:"stop"`
	Steady []*Steady `json:"steady"`

	// Failures are measurements that could not be made.
	Failures []string `json:"failures,omitempty"`
}

// A Machine is where the session ran.
type Machine struct {
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	CPUs   int    `json:"cpus"`
	CPU    string `json:"cpu,omitempty"`
	Kernel string `json:"kernel,omitempty"`
	Go     string `json:"go"`
	Node   string `json:"node,omitempty"`
}

// Settings are those of the session, the same for every subject.
type Settings struct {
	Rounds    int   `json:"rounds"`
	LoadMS    int64 `json:"load_ms"`        // time under load before the signal
	LimitMS   int64 `json:"limit_ms"`       // how long a stop may take
	StuckMS   int64 `json:"stuck_limit_ms"` // the same where only the limit ends it
	GraceMS   int64 `json:"grace_ms"`       // how long after its limit a server is killed
	WindowMS  int64 `json:"window_ms"`      // of a throughput measurement
	IdleConns int   `json:"idle_conns"`     // of a memory measurement
	// Timeouts of the Go servers in steady state; zero: what each has by default.
	ReadHeaderMS int64 `json:"steady_read_header_timeout_ms,omitempty"`
	IdleMS       int64 `json:"steady_idle_timeout_ms,omitempty"`

	Sufficient int `json:"sufficient"` // a subject that used up its limit this often at an obstacle is not asked again
}

// Limit returns the limit of a stop with the obstacle o in its way.
func (s Settings) Limit(o probe.Obstacle) time.Duration {
	if o.Stuck {
		return time.Duration(s.StuckMS) * time.Millisecond
	}
	return time.Duration(s.LimitMS) * time.Millisecond
}

// Absent is a peer that was not available.
type Absent struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// Lost says what became of the requests of one subject under one kind of load.
type Lost struct {
	Subject string        `json:"subject"`
	Load    string        `json:"load"`
	Stops   []load.Counts `json:"stops"`

	Sent    int     `json:"sent"`
	Lost    int     `json:"lost"`
	Refused int     `json:"refused_streams"`
	Closed  int     `json:"closed_idle"`
	Killed  int     `json:"killed,omitempty"`
	PerStop Summary `json:"lost_per_stop"`
	Note    string  `json:"note,omitempty"`
}

// Stop says how long the stops of one subject took with one obstacle in the way.
type Stop struct {
	Subject  string       `json:"subject"`
	Obstacle string       `json:"obstacle"`
	Times    []probe.Time `json:"times"`

	MS      Summary `json:"ms"`
	AtLimit bool    `json:"at_limit,omitempty"` // at the median it took its whole limit
	Killed  int     `json:"killed,omitempty"`
	Lost    int     `json:"lost,omitempty"`
	Note    string  `json:"note,omitempty"`
}

// Steady says what one subject costs, relative to its runtime's own server.
type Steady struct {
	Subject string    `json:"subject"`
	Base    string    `json:"base"`
	Ratios  []float64 `json:"throughput_ratios"`
	Rates   []float64 `json:"requests_per_second"`
	Bytes   []float64 `json:"bytes_per_connection"`
	More    []float64 `json:"memory_ratios"`
	CPU     []float64 `json:"cpu_per_request_ratios,omitempty"`

	Throughput Summary `json:"throughput"`
	Rate       Summary `json:"rate"`
	Memory     Summary `json:"memory"`
	PerConn    Summary `json:"per_connection"`

	ThroughputNote string `json:"throughput_note,omitempty"`
	MemoryNote     string `json:"memory_note,omitempty"`
}

// Read reads results from a file.
func Read(name string) (*Results, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	r := &Results{}
	return r, json.Unmarshal(data, r)
}

// Write writes them.
func (r *Results) Write(name string) error {
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(data, '\n'), 0o644)
}
