package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// attachedPoll is the time between two checks whether an attached process is still there.
// It is not a child of this process, so no event tells.
const attachedPoll = 2 * time.Millisecond

// Attach makes a Process of one that somebody else has started. It can be signalled. It
// is never killed, its output is not seen, and its exit code is not known.
func Attach(pid int) (*Process, error) {
	if !alive(pid) {
		return nil, fmt.Errorf("process %d: %w", pid, os.ErrProcessDone)
	}
	proc, err := os.FindProcess(pid)
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	p := &Process{
		cmd:      &exec.Cmd{Process: proc},
		attached: true,
		tail:     &tail{},
		copied:   make(chan struct{}),
		exited:   make(chan struct{}),
		detached: make(chan struct{}),
	}
	close(p.copied)
	go func() {
		for alive(pid) {
			select {
			case <-p.detached:
				return
			case <-time.After(attachedPoll):
			}
		}
		p.exit = Exit{At: time.Now()}
		close(p.exited)
	}()
	return p, nil
}

// Attached says whether the process was started by somebody else.
func (p *Process) Attached() bool { return p.attached }

// RunShell runs a command line in the system's shell to its end, with env added to this
// process's environment. Its error has the end of what it printed.
//
// What it prints goes through a file without a name. A daemon that it starts may go on
// printing there, and would die of a pipe that no process reads.
func RunShell(ctx context.Context, command string, env []string, passthrough io.Writer) error {
	cmd := shell(command)
	cmd.Env = append(os.Environ(), env...)
	isolate(cmd)
	out, err := os.CreateTemp("", "draincheck")
	if err != nil {
		return err
	}
	defer out.Close()
	_ = os.Remove(out.Name()) // not on Windows, where it is in use
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return err
	}
	p := &Process{cmd: cmd, exited: make(chan struct{})}
	go func() {
		defer close(p.exited)
		err = cmd.Wait()
	}()
	select {
	case <-p.exited:
	case <-ctx.Done():
		p.killGroup()
		<-p.exited
		err = errors.Join(context.Cause(ctx), err)
	}
	printed := &tail{passthrough: passthrough}
	if info, serr := out.Stat(); serr == nil {
		_, _ = io.Copy(printed, io.NewSectionReader(out, 0, info.Size()))
	}
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", command, err, strings.TrimSpace(printed.String()))
	}
	return nil
}
