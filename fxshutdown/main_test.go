package fxshutdown_test

import (
	"flag"
	"os"
	"runtime"
	"strconv"
	"testing"

	"go.uber.org/goleak"
)

// sideBySide is how many parallel tests run at a time: they wait most of the time.
const sideBySide = 8

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) { // the default
		if err := f.Value.Set(strconv.Itoa(sideBySide)); err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(2)
		}
	}
	// net/http's goroutine sleeps for half a second behind some responses, whatever has
	// become of its connection. goleak waits for less.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}
