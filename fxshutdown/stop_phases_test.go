package fxshutdown

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// The reason for cutting off a request in the drain says whose time was over.
func TestLookTellsWhy(t *testing.T) {
	for _, test := range []struct {
		name string
		play func(*conn)
		want error
	}{
		{"of the user's protocol", func(c *conn) {
			c.setState(http.StateHijacked)
			c.begin(newTestExchange(c, "/"), 1)
		}, ErrHijackGrace},
		{"undecided, while a hook blocks its end", func(c *conn) {
			c.set.hooked = true
			c.speaksHTTP2(nil)
			c.setState(http.StateActive)
			x := newTestExchange(c, "/")
			c.begin(x, 2)
			c.end(x, true)
			c.noteHook(+1)
			c.setState(http.StateIdle)
		}, ErrStopping},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var reasons []error
				c, _ := newPipeConn(t)
				test.play(c)
				s := &Server{conns: c.set, events: newDispatcher(loggerFunc(func(e Event) {
					if e, ok := e.(*RequestAborted); ok {
						reasons = append(reasons, e.Reason)
					}
				}))}
				st := &stop{s: s}
				st.tender = tender{set: c.set, graces: graces{hijack: time.Second}, record: st.recordEnd}
				c.drain()
				for next := c.set.now(); next != 0; next = st.look(c, c.set.now()) {
					time.Sleep(next - c.set.now())
				}
				synctest.Wait()
				if len(reasons) != 1 || reasons[0] != test.want {
					t.Errorf("the reasons of the requests cut off are %v, want one, %v", reasons, test.want)
				}
			})
		})
	}
}

// The cost of a cut is reported once.
func TestCutTwice(t *testing.T) {
	c, _ := newPipeConn(t)
	c.setState(http.StateActive)
	c.retire()
	c.mu.Lock()
	defer c.mu.Unlock()
	if res := c.cutLocked(); !res.unbegun || res.raw == nil {
		t.Errorf("a cut = %+v, want a request that had not begun, and what to close", res)
	}
	if res := c.cutLocked(); res.unbegun || res.raw != nil {
		t.Errorf("another cut = %+v, want nothing", res)
	}
}
