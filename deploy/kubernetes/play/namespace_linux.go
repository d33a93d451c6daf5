package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"unsafe"
)

// namespaceVariable has the namespace of the process that started this one, which is in
// another.
const namespaceVariable = "PLAY_OUTSIDE"

// namespaceLink names the namespace that a process is in.
const namespaceLink = "/proc/self/ns/net"

// inNamespace runs this program again in a network namespace of its own, where no other
// process sees the rules of the service, and returns its exit code. In that namespace it
// returns that it is not done, and the program goes on.
func inNamespace() (code int, done bool, err error) {
	here, err := os.Readlink(namespaceLink)
	if err != nil {
		return 0, true, err
	}
	if outside := os.Getenv(namespaceVariable); outside != "" && outside != here {
		return 0, false, bringUpLoopback()
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), namespaceVariable+"="+here)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if os.Geteuid() != 0 {
		// A process that is root in its own user namespace may make other namespaces.
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), true, nil
	}
	if err != nil {
		return 0, true, fmt.Errorf("make a network namespace: %w", err)
	}
	return 0, true, nil
}

func bringUpLoopback() error {
	s, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer syscall.Close(s)
	request := struct {
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}{flags: syscall.IFF_UP | syscall.IFF_RUNNING}
	copy(request.name[:], "lo")
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(s), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return fmt.Errorf("bring lo up: %w", errno)
	}
	return nil
}
