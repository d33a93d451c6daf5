package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// ages watches how old the connections of a server become.
type ages struct {
	mu           sync.Mutex // guards what follows
	serving, all time.Duration
	stalled      time.Duration // for how long the machine had no time for it
}

// The watch looks every agesEvery, and ageSlack is how late a busy machine may retire a
// connection, or end it. An HTTP/2 connection may be held back for half a second first.
const (
	agesWord  = "ages: " // begins the line that says them
	agesEvery = 5 * time.Millisecond
	ageSlack  = 250 * time.Millisecond
	maxHold   = 500 * time.Millisecond
)

func (a *ages) watch(s *fxshutdown.Server) {
	for {
		looked := time.Now()
		select {
		case <-s.Unready():
			return
		case <-time.After(agesEvery):
		}
		a.mu.Lock()
		a.stalled = max(a.stalled, time.Since(looked)-agesEvery)
		a.mu.Unlock()
		s.Retire(func(i fxshutdown.ConnInfo) bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.all = max(a.all, i.Age)
			if !i.Retired {
				a.serving = max(a.serving, i.Age)
			}
			return false
		})
	}
}

// check prints the ages, and returns an error if they are beyond their bounds.
func (a *ages) check(limit time.Duration, st fxshutdown.Stats) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	fmt.Printf(agesWord+"%d connections, %d retired by age; the oldest that had not retired: %v, of all: %v; longest stall: %v\n",
		st.Accepted, st.Retired, a.serving.Round(time.Millisecond), a.all.Round(time.Millisecond), a.stalled.Round(time.Millisecond))
	most := limit + limit/10 + ageSlack + a.stalled
	if a.serving > most || a.all > most+maxHold {
		return fmt.Errorf("with a maximum age of %v, a busy connection was %v old before it retired, and another one %v when it ended", limit, a.serving, a.all)
	}
	return nil
}
