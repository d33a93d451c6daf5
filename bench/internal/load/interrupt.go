package load

import (
	"os"
	"os/exec"
)

// interrupt makes the end of the command's context an interrupt. (From a terminal, Ctrl-C reaches draincheck as well;
// twice does no harm.)
func interrupt(cmd *exec.Cmd) {
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
}
