package fxshutdown

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

// TestStage plays what net/http does, and looks at the stage after each word.
func TestStage(t *testing.T) {
	for _, test := range []struct {
		events string
		want   stage
	}{
		{"", stageAccepted},
		{"read", stageNew},
		{"read active", stageRead},
		{"read active begin", stageActive},
		{"read active begin return", stageActive},
		{"read active begin return idle", stageIdle},
		{"read active begin hijack", stageHijacked},
		{"read active begin hijack close", stageClosed},
		{"read active begin hijack close return", stageGone},
		{"read active begin hijack return close", stageGone},
		{"read active begin hijack idle", stageHijacked}, // HTTP/2 that the handler serves there
		{"read active begin hijack closed", stageHijacked},
		{"read active begin closed", stageClosed},
		{"read active begin closed return", stageGone},
		{"read closed", stageGone},
		{"closed", stageGone},
		{"closed active", stageGone},
		{"hijack", stageHijacked}, // the function of a TLSNextProto
		{"hijack closed", stageGone},
		{"read cut", stageGone},
		{"read active begin cut", stageActive},
		{"read active begin cut return", stageGone},
		{"read active begin cut return closed", stageGone},
	} {
		t.Run(test.events, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, client := newPipeConn(t)
				for _, e := range strings.Fields(test.events) {
					switch e {
					case "read":
						go client.Write([]byte("x"))
						c.Read(make([]byte, 8))
					case "active":
						c.setState(http.StateActive)
					case "close":
						c.Close()
					default:
						playOn(c, e)
					}
					c.retire() // what is possible at an end is possible once it has retired
					if err := c.checkLocked(); err != nil && c.stage.Load() != stageGone {
						t.Errorf("after %q of %q: %v", e, test.events, err)
					}
				}
				if got := c.stage.Load(); got != test.want {
					t.Errorf("after %q: %v, want %v", test.events, got, test.want)
				}
				if gone := c.set.isEmpty(); gone != (test.want == stageGone) {
					t.Errorf("after %q: out of the set = %v, want %v", test.events, gone, test.want == stageGone)
				}
			})
		})
	}
}

// A connection that retires late, while net/http closes it or after that, breaks no rule.
func TestRetireLate(t *testing.T) {
	for _, events := range []string{"begin closewrite", "begin return closewrite", "begin closewrite closed"} {
		synctest.Test(t, func(t *testing.T) {
			c, _ := newPipeConn(t)
			c.setState(http.StateActive)
			play(c, strings.Fields(events))
			c.retire()
			if err := c.checkLocked(); err != nil {
				t.Errorf("after %q: %v", events, err)
			}
		})
	}
}

// playOn is play for a connection whose requests began in earlier calls.
func playOn(c *conn, event string) {
	if event == "return" || event == "panic" {
		c.end(c.running, event == "return")
		return
	}
	play(c, []string{event})
}

// TestCheck breaks each rule about impossible states.
func TestCheck(t *testing.T) {
	for rule, breakIt := range map[string]func(*conn){
		"gone runs":      func(c *conn) { c.stage.setLocked(stageGone); c.begun(1) },
		"before a read":  func(c *conn) { c.stage.setLocked(stageAccepted); c.begun(1) },
		"one at a time":  func(c *conn) { c.stage.setLocked(stageActive); c.begun(2) },
		"decided before": func(c *conn) { c.stage.setLocked(stageActive); c.begun(1); c.undecided = new(exchange) },
		"comes back":     func(c *conn) { c.takeover = new(takeover) },
		"not net/http's": func(c *conn) { c.stage.setLocked(stageActive); c.takeover = new(takeover) },
		"end of HTTP/2": func(c *conn) {
			c.stage.setLocked(stageActive)
			c.h2 = new(http2State)
			c.closing = closingHTTP
		},
		"request read": func(c *conn) { c.closing = closingHTTP },
		"was asked":    func(c *conn) { c.retireLocked(); c.stage.setLocked(stageActive); c.closing = closingHTTP },
		"what retired": func(c *conn) { c.closing = closingStop },
		"interrupted":  func(c *conn) { c.intr.state = interruptPending },
		"interrupted, taken over": func(c *conn) {
			c.retireLocked()
			c.stage.setLocked(stageHijacked)
			c.intr.state = interruptFinal
		},
		"cut":     func(c *conn) { c.cut = true },
		"dropped": func(c *conn) { c.stage.setLocked(stageHijacked); c.dropped = true },
		"moment":  func(c *conn) { c.retired.Store(true) },
		"GOAWAY":  func(c *conn) { c.h2 = &http2State{goAway: goAwayAsked} },
	} {
		t.Run(rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := newPipeConn(t)
				c.stage.setLocked(stageIdle)
				if err := c.checkLocked(); err != nil {
					t.Fatalf("a connection that waits: %v", err)
				}
				breakIt(c)
				err := c.checkLocked()
				if err == nil {
					t.Fatal("checkLocked() = nil, want the rule that is broken")
				}
				t.Log(err)
			})
		})
	}
}

// begun lets n requests run.
func (c *conn) begun(n int) {
	for range n {
		c.running = &exchange{conn: c, next: c.running}
	}
}

// TestAheadHistory checks that a byte that came early is remembered for two requests,
// since there may be more behind it.
func TestAheadHistory(t *testing.T) {
	var a aheadHistory
	for i, step := range []struct {
		early bool
		want  bool
	}{{false, false}, {true, true}, {false, true}, {false, false}, {true, true}, {true, true}, {false, true}, {false, false}} {
		a.next()
		a.note(step.early)
		if a.any() != step.want {
			t.Errorf("step %d: any() = %v, want %v", i, a.any(), step.want)
		}
	}
	a.note(true)
	a.note(false)
	if a.any() {
		t.Error("a body's read behind it does not undo the byte")
	}
}
