// Package draincheck is for programs that run the command of that name, which is a
// module of its own in this workspace.
package draincheck

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
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

// Ran reports whether draincheck could check, by what running it returned: exit code 1
// says that the server did not pass.
func Ran(err error) bool {
	var exit *exec.ExitError
	return err == nil || errors.As(err, &exit) && exit.ExitCode() == 1
}
