// Package draincheck builds and runs the command of that name, which is a module of its
// own in this workspace.
package draincheck

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// NoLoad turns off the kinds of load that draincheck has by default. The last of two
// flags counts, so that others may follow.
var NoLoad = []string{"-keepalive", "0", "-newconn", "0", "-late", "0", "-silent", "0", "-halfheader", "0", "-h2", "0", "-h2c", "0"}

// Build builds draincheck into dir.
func Build(ctx context.Context, dir string) (path string, err error) {
	path = filepath.Join(dir, "draincheck")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/fxshutdown/fxhttp/cmd/draincheck")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build draincheck: %w\n%s", err, out)
	}
	return path, nil
}

// Command returns a command that runs draincheck. When ctx ends it is interrupted, so that
// it ends the server, which it could not if it was killed.
func Command(ctx context.Context, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 15 * time.Second
	return cmd
}

// Spread returns flags for clients a round trip away: such as begin together would do
// everything together forever, and a stop would find all of them in the same place. They
// begin over the two round trips that a new connection and a request take, and the load,
// which lasts at least as long as is given, ends at a random point of these.
func Spread(load, rtt time.Duration) []string {
	return []string{"-load", (load + 4*rtt + rand.N(2*rtt+1)).String(), "-spread", (2 * rtt).String()}
}

// Ran reports whether draincheck could check, by what running it returned: exit code 1
// says that the server did not pass.
func Ran(err error) bool {
	var exit *exec.ExitError
	return err == nil || errors.As(err, &exit) && exit.ExitCode() == 1
}
