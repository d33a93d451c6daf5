package fxhttpsystemd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/coreos/go-systemd/v22/activation"
)

// ErrNotActivated is wrapped by the errors of [Listener] in a process that was passed no
// sockets.
var ErrNotActivated = errors.New("this process was passed no sockets")

// passed holds the sockets that the process was passed, or why there are none.
type passed struct {
	files []*os.File
	none  error
}

// takePassed takes the sockets once: their descriptors must not get a second *os.File. It
// unsets the environment variables, so that no child process takes them for its own.
var takePassed = sync.OnceValue(func() passed {
	fds, pid := os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_PID")
	p := passed{files: activation.Files(true)}
	switch {
	case len(p.files) > 0:
	case fds == "":
		p.none = fmt.Errorf("%w: LISTEN_FDS is not set", ErrNotActivated)
	case pid != strconv.Itoa(os.Getpid()):
		p.none = fmt.Errorf("%w: LISTEN_PID is %q, but this is process %d (a script that starts it must exec it)",
			ErrNotActivated, pid, os.Getpid())
	default:
		p.none = fmt.Errorf("%w: LISTEN_FDS is %q", ErrNotActivated, fds)
	}
	return p
})

// Listener returns a listener on the socket of this name that systemd has passed to the
// process; [WithSocket] says what the names are. Each call returns a new listener on the
// same socket, with a descriptor of its own. If you serve it with the engine alone, set
// fxshutdown.Config.ListenerOwned to a function that returns false. Listener may be called
// at any time from any goroutine.
func Listener(name string) (net.Listener, error) { return takePassed().listener(name) }

func (p passed) listener(name string) (net.Listener, error) {
	if p.none != nil {
		return nil, fmt.Errorf("fxhttpsystemd: there is no socket %q: %w", name, p.none)
	}
	var found []*os.File
	for _, f := range p.files {
		if f.Name() == name {
			found = append(found, f)
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("fxhttpsystemd: there is no socket %q among those that were passed: %s", name, list(p.files))
	case 1:
		ln, err := listen(found[0])
		if err != nil {
			return nil, fmt.Errorf("fxhttpsystemd: the socket %s: %w", describe(found[0]), err)
		}
		return ln, nil
	default:
		return nil, fmt.Errorf("fxhttpsystemd: %d sockets are called %q: %s: a server has one socket, so each socket needs a .socket unit "+
			"of its own, with a FileDescriptorName= of its own", len(found), name, list(found))
	}
}

// listen returns a listener on a descriptor of its own.
func listen(f *os.File) (net.Listener, error) {
	ln, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("it is not a stream socket, which ListenStream= makes: %w", err)
	}
	if !isListening(f) {
		ln.Close()
		return nil, errors.New("it is a connection and does not listen: the .socket unit needs Accept=no")
	}
	return ln, nil
}

func list(files []*os.File) string {
	texts := make([]string, len(files))
	for i, f := range files {
		texts[i] = describe(f)
	}
	return strings.Join(texts, ", ")
}

// describe says a socket's name and address.
func describe(f *os.File) string {
	if ln, err := net.FileListener(f); err == nil {
		defer ln.Close()
		return fmt.Sprintf("%q (%s %s)", f.Name(), ln.Addr().Network(), ln.Addr())
	}
	if c, err := net.FilePacketConn(f); err == nil {
		defer c.Close()
		return fmt.Sprintf("%q (%s %s)", f.Name(), c.LocalAddr().Network(), c.LocalAddr())
	}
	return fmt.Sprintf("%q (not a socket)", f.Name())
}
