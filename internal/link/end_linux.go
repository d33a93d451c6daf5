package link

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
)

// The addresses of the ends.
const (
	ClientAddr = "127.77.0.1"
	ServerAddr = "127.77.0.2"

	clientAddr6 = "fd77::1"
	serverAddr6 = "fd77::2"
)

// An End is one of the two ends of a link: a network namespace.
type End struct {
	IPv4 string
	IPv6 string // "" on a machine without IPv6

	ns  *os.File // the namespace, which lives as long as something uses it
	tun *os.File // the packets that the end sends and receives
}

func newEnd(v4, v6 string) (*End, error) {
	if _, err := home(); err != nil {
		return nil, err
	}
	e := &End{IPv4: v4, IPv6: v6}
	err := onThread(func() error {
		if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
			return fmt.Errorf("%w: unshare: %w", ErrUnavailable, err)
		}
		var err error
		if e.ns, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return err
		}
		if e.tun, err = openTUN(); err != nil {
			return err
		}
		if err := addressIPv4(v4); err != nil {
			return err
		}
		if err := addressIPv6(v6); errors.Is(err, errNoIPv6) {
			e.IPv6 = ""
		} else {
			return err
		}
		return nil
	})
	if err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

func (e *End) close() {
	for _, f := range []*os.File{e.tun, e.ns} {
		if f != nil {
			f.Close()
		}
	}
}

// Addr is the end's IPv4 address with the port.
func (e *End) Addr(port int) string { return net.JoinHostPort(e.IPv4, strconv.Itoa(port)) }

// Addr6 is the end's IPv6 address with the port.
func (e *End) Addr6(port int) string { return net.JoinHostPort(e.IPv6, strconv.Itoa(port)) }

// Do calls f on a thread that belongs to the end. Sockets that f makes are the
// end's, forever; those of goroutines that it starts are not. It may be called by
// many goroutines at a time.
func (e *End) Do(f func() error) error {
	return onThread(func() error {
		if err := setns(e.ns); err != nil {
			return err
		}
		return f()
	})
}

// Start starts the command at this end.
func (e *End) Start(cmd *exec.Cmd) error { return e.Do(cmd.Start) }

// Command returns a command line that runs argv at this end, wherever it is
// started. It keeps its process id, so that signals reach it. The program that
// called Command must live as long as it takes to start, and its main function
// must begin with [ExecIfAsked].
func (e *End) Command(argv ...string) ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ns := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), e.ns.Fd())
	return append([]string{self, execWord, ns}, argv...), nil
}

// execWord is the first argument of a process that is only to become another one.
const execWord = "link-exec"

// ExecIfAsked makes this process what [End.Command] was asked for, if it was
// started by such a command line. Otherwise it does nothing.
func ExecIfAsked() {
	if len(os.Args) < 4 || os.Args[1] != execWord {
		return
	}
	fmt.Fprintln(os.Stderr, "link:", become(os.Args[2], os.Args[3:]))
	os.Exit(2)
}

// become returns only if it fails.
func become(ns string, argv []string) error {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	f, err := os.Open(ns)
	if err != nil {
		return err
	}
	// The thread that executes is the one that remains.
	runtime.LockOSThread()
	if err := setns(f); err != nil {
		return err
	}
	return os.NewSyscallError("execve", syscall.Exec(path, argv, os.Environ()))
}

// onThread calls f on a thread that f may move to another namespace, and moves it
// back.
func onThread(f func() error) error {
	back, err := home()
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	defer func() {
		// A thread that cannot go back stays locked, so that no other goroutine gets it.
		if setns(back) == nil {
			runtime.UnlockOSThread()
		}
	}()
	return f()
}

func setns(ns *os.File) error {
	if _, _, errno := syscall.Syscall(sysSetns, ns.Fd(), syscall.CLONE_NEWNET, 0); errno != 0 {
		return os.NewSyscallError("setns", errno)
	}
	return nil
}
