//go:build windows

package process

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

var generateConsoleCtrlEvent = syscall.NewLazyDLL("kernel32.dll").NewProc("GenerateConsoleCtrlEvent")

// ParseSignal turns "TERM", "INT" or "KILL" into a signal. Windows has no signals: TERM
// and INT both become CTRL_BREAK, which Go programs see as os.Interrupt, and KILL ends
// the process.
func ParseSignal(name string) (os.Signal, error) {
	switch strings.TrimPrefix(strings.ToUpper(name), "SIG") {
	case "TERM":
		return syscall.SIGTERM, nil
	case "INT":
		return os.Interrupt, nil
	case "KILL":
		return os.Kill, nil
	}
	return nil, fmt.Errorf("unknown signal %q: on Windows want TERM, INT (both are CTRL_BREAK) or KILL", name)
}

func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// signal always reaches the whole group: CTRL_BREAK cannot be aimed at one process.
func (p *Process) signal(sig os.Signal, _ bool) error {
	if sig == os.Kill {
		return p.cmd.Process.Kill()
	}
	ok, _, err := generateConsoleCtrlEvent.Call(syscall.CTRL_BREAK_EVENT, uintptr(p.Pid()))
	if ok == 0 {
		return err
	}
	return nil
}

func (p *Process) killGroup() {
	select {
	case <-p.exited:
		// Another process may have its id by now, and taskkill knows only ids.
		return
	default:
	}
	_ = exec.Command("taskkill", "/T", "/F", "/PID", strconv.Itoa(p.Pid())).Run()
	_ = p.cmd.Process.Kill()
}

func (p *Process) groupAlive() bool { return false }

func exitSignal(*os.ProcessState) string { return "" }

// SignalName is the name of a signal as people write it.
func SignalName(sig os.Signal) string {
	switch sig {
	case syscall.SIGTERM:
		return "SIGTERM"
	case os.Interrupt:
		return "SIGINT"
	case os.Kill:
		return "SIGKILL"
	}
	return sig.String()
}

// alive says whether a process is there.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	p.Release()
	return true
}

func shell(command string) *exec.Cmd { return exec.Command("cmd", "/C", command) }
