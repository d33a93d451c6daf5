package fxshutdown_test

import "testing"

// A scenario is something that the package promises, shown over each protocol for
// which it is promised. It runs on real sockets, or in bubbles: with a fake clock and
// connections in memory, so that times are exact.
//
// To add one, write a row into the table of its concern, in the file of that name:
//
//	{"RequestInTime", bubbles, h1Modes, func(t *testing.T, m mode) {
//		s := start(t, m, hello, onPipe)
//		...
//		s.mustStopIn(grace-ms, grace)
//		s.wantReport(account{answered: 1})
//	}},
//
// The server that start returns checks its account at the end of the test. A scenario
// that waits belongs in bubbles; sockets are for what a pipe cannot show. To run one:
//
//	go test ./fxshutdown -run TestContract/Idle/RequestInTime
//
// A scenario that has variants is a function that returns one, and a row for each. Rows
// that name http-shutdown, http-terminator or stoppable show what these packages promise
// in their own published tests.
type scenario struct {
	name  string
	where func(*testing.T, []mode, func(*testing.T, mode)) // sockets, together or bubbles
	modes []mode
	run   func(*testing.T, mode)
}

// contract is the table of all scenarios, by concern.
var contract = []struct {
	concern   string
	scenarios []scenario
}{
	{"Traffic", trafficScenarios},
	{"Connections", connectionScenarios},
	{"Idle", idleScenarios},
	{"HTTP2", http2Scenarios},
	{"Stop", stopScenarios},
	{"Delay", delayScenarios},
	{"Grace", graceScenarios},
	{"Budget", budgetScenarios},
	{"Force", forceScenarios},
	{"Shutdown", shutdownScenarios},
	{"Draining", drainingScenarios},
	{"Streams", streamScenarios},
	{"EndOnDrain", endOnDrainScenarios},
	{"EndHijacked", endHijackedScenarios},
	{"Hijacked", hijackedScenarios},
	{"Uploads", uploadScenarios},
	{"Handlers", handlerScenarios},
	{"Hooks", hookScenarios},
	{"SlowHooks", slowHookScenarios},
	{"Listeners", listenerScenarios},
	{"Owned", ownedScenarios},
	{"Limit", limitScenarios},
	{"Hostile", hostileScenarios},
	{"Age", ageScenarios},
	{"AgeLate", ageLateScenarios},
	{"AgeStop", ageStopScenarios},
	{"Spread", spreadScenarios},
	{"Progress", progressScenarios},
}

func TestContract(t *testing.T) {
	for _, c := range contract {
		t.Run(c.concern, func(t *testing.T) {
			watchFDs(t)
			named := map[string]bool{}
			for _, sc := range c.scenarios {
				if named[sc.name] {
					t.Errorf("two scenarios are named %s", sc.name)
				}
				named[sc.name] = true
				t.Run(sc.name, func(t *testing.T) { sc.where(t, sc.modes, sc.run) })
			}
		})
	}
}
