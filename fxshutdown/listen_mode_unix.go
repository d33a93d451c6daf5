//go:build unix

package fxshutdown

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// hasSocketMode says whether the file of a unix socket has a mode here.
const hasSocketMode = true

// maxBacklog asks for the longest accept queue: the kernel cuts it to its own limit.
const maxBacklog = 1<<15 - 1

// listenMode is lc.Listen for a unix socket whose file gets a mode. The mode is set
// between bind and listen, since nobody can connect before listen.
//
// It is tempting to let lc.Listen do it, with an fchmod of the socket in its Control:
// Linux makes the file with that mode less the umask, and other systems refuse the
// fchmod. Nor can the umask be changed for a moment: it is that of the whole process, and
// other goroutines may create files meanwhile.
func listenMode(lc *net.ListenConfig, network, path string, mode fs.FileMode) (net.Listener, error) {
	kind := syscall.SOCK_STREAM
	if network == "unixpacket" {
		kind = syscall.SOCK_SEQPACKET
	}
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(syscall.AF_UNIX, kind, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close() // net.FileListener makes a copy
	if lc.Control != nil {
		rc, err := f.SyscallConn()
		if err != nil {
			return nil, err
		}
		if err := lc.Control(network, path, rc); err != nil {
			return nil, err
		}
	}
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		return nil, os.NewSyscallError("bind", err)
	}
	ln, err := listenBound(f, fd, path, mode)
	if err != nil {
		os.Remove(path)
		return nil, err
	}
	return ln, nil
}

func listenBound(f *os.File, fd int, path string, mode fs.FileMode) (net.Listener, error) {
	if err := chmodIn(filepath.Dir(path), filepath.Base(path), mode); err != nil {
		return nil, err
	}
	if err := syscall.Listen(fd, maxBacklog); err != nil {
		return nil, os.NewSyscallError("listen", err)
	}
	ln, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(true) // as the listener of lc.Listen does
	return ln, nil
}

// chmodIn is an os.Chmod that does not leave the directory: whoever may write there could
// have put a symbolic link in the place of the socket.
func chmodIn(dir, name string, mode fs.FileMode) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return root.Chmod(name, mode)
}
