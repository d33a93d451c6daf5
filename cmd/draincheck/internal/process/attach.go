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

// attachedPoll is the time between two looks whether an attached process is still there.
// It is nobody's child here, so no event tells.
const attachedPoll = 2 * time.Millisecond

// Attach makes a Process of one that somebody else has started. It can be signalled. It is
// never killed, its output is not seen, and its exit code is not known.
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
// A daemon that the command starts may keep its output open, so the end of the command
// is waited for, and not that of its output.
func RunShell(ctx context.Context, command string, env []string, passthrough io.Writer) error {
	cmd := shell(command)
	cmd.Env = append(os.Environ(), env...)
	isolate(cmd)
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd.Stdout, cmd.Stderr = w, w
	err = cmd.Start()
	w.Close()
	if err != nil {
		return err
	}
	out := &tail{passthrough: passthrough}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		io.Copy(out, r)
	}()
	p := &Process{cmd: cmd, exited: make(chan struct{})}
	var werr error
	go func() {
		defer close(p.exited)
		werr = cmd.Wait()
	}()
	select {
	case <-p.exited:
	case <-ctx.Done():
		p.killGroup()
		<-p.exited
		werr = errors.Join(context.Cause(ctx), werr)
	}
	within(copied, 200*time.Millisecond)
	if werr != nil {
		return fmt.Errorf("%s: %w\n%s", command, werr, strings.TrimSpace(out.String()))
	}
	return nil
}
