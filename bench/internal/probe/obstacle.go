package probe

import (
	"time"
)

// conns is how many connections are in the way.
const conns = 8

// An Obstacle is what is in the way of a stop.
type Obstacle struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	What  string `json:"what"`
	HTTPS bool   `json:"https,omitempty"`

	// Stuck says that only the limit ends the stop.
	Stuck bool `json:"stuck,omitempty"`

	settle time.Duration // from the last connection to the signal
	hold   func(addr string) (*held, error)
}

// quiet is how long obstacles are there before the signal: longer than any grace.
const quiet = 600 * time.Millisecond

// Obstacles are the kinds of obstacle.
func Obstacles() []Obstacle {
	return []Obstacle{
		{ID: "none", Title: "nothing", What: "no connection at all",
			hold: func(string) (*held, error) { return &held{}, nil }},
		{ID: "idle", Title: "idle", What: "8 keep-alive connections, last used 600 ms before the signal",
			settle: quiet, hold: holdKept},
		{ID: "justused", Title: "idle, just used", What: "8 keep-alive connections, last used right before the signal",
			hold: holdKept},
		{ID: "silent", Title: "silent", What: "8 connections that never send a byte",
			settle: quiet, hold: func(addr string) (*held, error) { return holdRaw(addr, "") }},
		{ID: "halfheader", Title: "half a header", What: "8 connections that send half of a request header",
			settle: quiet, hold: func(addr string) (*held, error) {
				return holdRaw(addr, "POST / HTTP/1.1\r\nHost: bench\r\nContent-")
			}},
		{ID: "slow", Title: "slow request", What: "8 requests of 400 ms that began 100 ms before the signal; time from the last response to exit",
			settle: 100 * time.Millisecond, hold: holdSlow},
		{ID: "h2idle", Title: "HTTP/2 idle", What: "8 HTTP/2 connections (TLS), last used 600 ms before the signal", HTTPS: true,
			settle: quiet, hold: holdHTTP2},
		{ID: "stuck", Title: "stuck handler", What: "8 requests whose handlers never return, with a shorter limit", Stuck: true,
			settle: 100 * time.Millisecond, hold: holdStuck},
	}
}
