package fxshutdown

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// socket is a listening TCP socket.
type socket struct {
	syscall.RawConn

	// Sources that know of handshakes: references, for this socket alone and fast, and
	// others, of which the first that answers counts.
	references func(*socket) (int, error)
	others     []func(listenAddress) (int, error)
}

// kernelOf returns the kernel's view of l. It returns nil if l is not a TCP listener, if
// l hides its socket, or if the kernel is another one that poses as Linux.
func kernelOf(l net.Listener) kernel {
	sc, ok := l.(syscall.Conn)
	if !ok {
		return nil
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	s := &socket{
		RawConn:    rc,
		references: (*socket).countReferences,
		others: []func(listenAddress) (int, error){
			listenAddress.askSockDiag,
			// Where netlink is refused: by seccomp, or systemd's RestrictAddressFamilies.
			listenAddress.readProc,
		},
	}
	if _, ok := s.queued(); !ok {
		return nil
	}
	return s
}

// queued asks through TCP_INFO. A listening socket has three figures there: its state,
// the length of its queue, and the limit of that length, which is never zero
// (tcp_get_info in net/ipv4/tcp.c).
func (s *socket) queued() (n int, ok bool) {
	const (
		listening = 10 // TCP_LISTEN, in the first byte
		unacked   = 24 / 4
		sacked    = 28 / 4
	)
	err := s.Control(func(fd uintptr) {
		info, err := tcpInfo(fd)
		if err == nil && firstByte(info[0]) == listening && info[sacked] > 0 {
			n, ok = int(info[unacked]), true
		}
	})
	return n, ok && err == nil
}

// tcpInfo returns the first eight words of TCP_INFO.
func tcpInfo(fd uintptr) ([8]uint32, error) {
	// The function is named after another option, but gets 32 bytes of any option.
	info, err := syscall.GetsockoptICMPv6Filter(int(fd), syscall.IPPROTO_TCP, syscall.TCP_INFO)
	if err != nil {
		return [8]uint32{}, err
	}
	return info.Data, nil
}

// handshakes counts the clients whose handshake is under way: the kernel has answered
// their SYN, and the packet that completes the handshake is still on its way. To them, a
// server that closes the socket now breaks a connection.
//
// If the references say that there is none, nothing else is asked. Otherwise the
// references may be somebody else's, and the kernel is asked for its table of
// connections, which takes milliseconds and is not for a tight loop. Both tables are
// those of the calling thread's network namespace. What the second cannot distinguish is
// counted too, but never more than there are references: the handshakes of other sockets
// that listen on the same address and port (SO_REUSEPORT), and clients that have
// connected and sent nothing yet, if the listener has TCP_DEFER_ACCEPT. A handshake by
// SYN cookie, which the kernel uses when its queue overflows, leaves no trace.
func (s *socket) handshakes() (int, error) {
	most, refErr := s.references(s)
	if refErr == nil && most == 0 {
		return 0, nil
	}
	if errors.Is(refErr, errElsewhere) {
		return 0, refErr
	}
	at, err := s.address()
	if err != nil {
		return 0, err
	}
	errs := []error{refErr}
	for _, ask := range s.others {
		n, err := ask(at)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if refErr == nil {
			n = min(n, most)
		}
		return n, nil
	}
	return 0, fmt.Errorf("count handshakes: %w", errors.Join(errs...))
}
