package fxshutdown_test

import (
	"flag"
	"math/rand/v2"
	"testing"
	"testing/synctest"
)

// FuzzConnection plays a script, in which two bytes are an event, against a server in a
// bubble and against a model of it. Whatever happens in whatever order, the account
// agrees with the model after every event, what arrives in time is answered, and the stop
// ends when the model says.
func FuzzConnection(f *testing.F) {
	for _, script := range fuzzScripts {
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 2+2*64 {
			return
		}
		synctest.Test(t, func(t *testing.T) { play(t, script) })
	})
}

// TestConnectionModel plays random scripts, which are longer than those that the fuzzer
// finds on its own.
func TestConnectionModel(t *testing.T) {
	for seed := range uint64(*modelScripts) {
		random := rand.New(rand.NewPCG(seed, 0))
		script := make([]byte, 2+2*random.IntN(65))
		for i := range script {
			script[i] = byte(random.Uint32())
		}
		synctest.Test(t, func(t *testing.T) {
			play(t, script)
			if t.Failed() {
				t.Logf("script %d: %x", seed, script)
			}
		})
	}
}

var modelScripts = flag.Int("scripts", 500, "how many scripts TestConnectionModel plays")

var fuzzScripts = [][]byte{
	{},
	{0, 0, evDial, 0, evStop, 4},
	{0, 0, evDial, 0, evWhole, 0, evReturn, 0, evStop, 5},
	{0, 0, evDial, 0, evWhole, 0, evStop, 5, evSleep, 4, evReturn, 0},
	{0, 0, evDial, 0, evWhole, 0, evFlush, 0, evStop, 5, evReturn, 0, evWhole, 0, evSleep, 3, evReturn, 0},
	{0, 0, evDial, 0, evPart, 0, evStop, 5, evSleep, 4, evPart, 0, evSleep, 4, evRest, 0, evReturn, 0},
	{0, 0, evDial, 0, evDial, 1, evWhole, 0, evHijack, 0, evWhole, 1, evStop, 3},
	{0, 0, evDial, 0, evWhole, 4, evDial, 1, evWhole, 9, evStop, 3, evSleep, 4, evForce, 0},
	{0, 0, evDial, 0, evWhole, 0, evFlush, 0, evAskDraining, 0, evStop, 2},
	{3, 7, evDial, 0, evWhole, 0, evHijack, 0, evStop, 5, evSleep, 6, evCloseHijacked, 0, evReturn, 0},
	{3, 7, evDial, 0, evWhole, 4, evWhole, 0, evClientCloses, 0, evStop, 0},
	{0, 3, evDial, 0, evWhole, 0, evShutdown, 0, evSleep, 2, evPanic, 0, evDial, 0},
	{0, 2, evShutdown, 0, evSleep, 1, evDial, 0, evWhole, 0, evHijack, 0}, // HijackGrace counts from the drain
	{5, 1, evDial, 0, evStop, 6, evSleep, 4, evDial, 1, evWhole, 1, evForce, 2},
	// A byte is read ahead of a request that is in the buffer, and its client closes.
	{0, 0, evDial, 0, evWhole, 0, evWhole, 0, evWhole, 4, evReturn, 0, evWhole, 0, evReturn, 0, evClientCloses, 0, evStop, 3},
}
