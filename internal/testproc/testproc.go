// Package testproc starts programs that a test ends with an interrupt.
//
// An Fx app listens for signals only when all OnStart hooks have returned and RUNNING is
// logged. A signal that comes before this kills it. No other process sees when this time
// is over: of 900 programs that got SIGTERM as soon as RUNNING was read, half were
// killed.
package testproc

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// Start starts a program that ignores interrupts until it listens for them: see
// "Changing the behavior of signals" in os/signal. The calling process ignores them
// too meanwhile, and has no handlers for them afterwards.
func Start(cmd *exec.Cmd) error {
	signal.Ignore(os.Interrupt)
	defer signal.Reset(os.Interrupt)
	return cmd.Start()
}

// Interrupt interrupts a program that Start has started as soon as it listens.
func Interrupt(p *os.Process) error {
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		ignores, err := ignoresInterrupt(p)
		if err != nil {
			return err
		}
		if !ignores {
			return p.Signal(os.Interrupt)
		}
		if time.Now().After(end) {
			return fmt.Errorf("process %d does not wait for an interrupt", p.Pid)
		}
	}
}

// ignoresInterrupt asks the kernel.
func ignoresInterrupt(p *os.Process) (bool, error) {
	if runtime.GOOS != "linux" {
		time.Sleep(time.Second) // This cannot be known.
		return false, nil
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid))
	if err != nil {
		return false, err
	}
	for line := range bytes.Lines(status) {
		mask, ok := bytes.CutPrefix(line, []byte("SigIgn:"))
		if !ok {
			continue
		}
		signals, err := strconv.ParseUint(string(bytes.TrimSpace(mask)), 16, 64)
		return signals&(1<<(syscall.SIGINT-1)) != 0, err
	}
	return false, fmt.Errorf("no SigIgn in the status of process %d", p.Pid)
}
