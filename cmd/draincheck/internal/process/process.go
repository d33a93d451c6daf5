package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// killWait bounds how long Kill waits for the kernel to report a killed process as gone.
const killWait = 5 * time.Second

// Exit says how a process ended.
type Exit struct {
	At     time.Time // when its end was seen
	Code   int       // its exit code, -1 if a signal ended it
	Signal string    // the signal that ended it, "" if it exited
}

// String is the text for a sentence: "exit code 1", "signal: killed".
func (e Exit) String() string {
	if e.Signal != "" {
		return "signal: " + e.Signal
	}
	return fmt.Sprintf("exit code %d", e.Code)
}

// A Process is a started command.
type Process struct {
	cmd    *exec.Cmd
	tail   *tail
	copied chan struct{} // closed when the output was read to its end
	output *os.File      // the read end of the pipe that the command writes to

	exited chan struct{} // closed when the command's end was seen
	exit   Exit          // valid once exited is closed

	attached bool          // somebody else has started it
	detached chan struct{} // closed when an attached process is let go

	killOnce sync.Once
}

// Start starts the command argv with env added to this process's environment. What it
// prints is kept in a bounded buffer and, unless passthrough is nil, copied there.
func Start(argv, env []string, passthrough io.Writer) (*Process, error) {
	if len(argv) == 0 {
		return nil, errors.New("start the command: no command given")
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	isolate(cmd)

	// A pipe of ours rather than cmd.Stdout = tail: with a writer that is not a file,
	// Wait returns only when the last descendant has closed its end, and the moment of
	// exit would be measured late or never.
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start the command: %w", err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	err = cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("start the command: %w%s", err, nearby(argv[0], err))
	}

	p := &Process{
		cmd:    cmd,
		tail:   &tail{passthrough: passthrough},
		copied: make(chan struct{}),
		output: r,
		exited: make(chan struct{}),
	}
	go func() {
		defer close(p.copied)
		io.Copy(p.tail, r)
	}()
	go func() {
		defer close(p.exited)
		// The error repeats what ProcessState says.
		_ = cmd.Wait()
		p.exit = Exit{At: time.Now(), Code: cmd.ProcessState.ExitCode(), Signal: exitSignal(cmd.ProcessState)}
	}()
	return p, nil
}

// nearby says which file may be meant if a command is not found.
func nearby(name string, err error) string {
	if !errors.Is(err, exec.ErrNotFound) || strings.ContainsRune(name, os.PathSeparator) {
		return ""
	}
	if info, err := os.Stat(name); err == nil && !info.IsDir() {
		return fmt.Sprintf(" (there is such a file in this directory: ./%s)", name)
	}
	return ""
}

// Pid is the command's process id, which on unix is also the id of its process group.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Exited is closed when the command itself has ended. Processes that it started may live
// on.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Exit says how the command ended. Call it only after Exited is closed.
func (p *Process) Exit() Exit { return p.exit }

// Signal sends the named signal (see [ParseSignal]) to the command, and to all that it
// started too if group is set.
func (p *Process) Signal(sig os.Signal, group bool) error {
	if err := p.signal(sig, group); err != nil {
		return fmt.Errorf("send %v to the command: %w", sig, err)
	}
	return nil
}

// Descendants reports whether something that the command started is still running. Where
// that cannot be known it reports false.
func (p *Process) Descendants() bool { return !p.attached && p.groupAlive() }

// Kill ends the command and everything that it started, at once, and waits for the
// command's end. Calling it again, or after the command has ended, is allowed: Kill still
// ends what the command left behind. An attached process is not ended, but let go.
func (p *Process) Kill() {
	p.killOnce.Do(func() {
		if p.attached {
			close(p.detached)
			return
		}
		p.killGroup()
		within(p.exited, killWait)
		// What is still in the pipe belongs into the tail. A descendant that left the
		// group can hold the pipe open forever, so this wait is short.
		within(p.copied, 200*time.Millisecond)
		p.output.Close()
		within(p.copied, killWait)
	})
}

// Output is the end of what the command has printed so far.
func (p *Process) Output() string { return p.tail.String() }

// Settle waits a moment for the output of a command that has ended to arrive.
func (p *Process) Settle() { within(p.copied, 500*time.Millisecond) }

func within(done <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}
