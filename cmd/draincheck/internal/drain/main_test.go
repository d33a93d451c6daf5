package drain

import (
	"flag"
	"os"
	"testing"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/losing"
)

// TestMain lets the test binary be the command under test as well.
func TestMain(m *testing.M) {
	losing.Main()
	// The tests wait most of the time, each for its own process, so more of them fit side
	// by side than there are processors.
	flag.Parse()
	flag.Set("test.parallel", "12")
	os.Exit(m.Run())
}
