package fxshutdown

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// handshakes counts the clients of l whose handshake is under way: the kernel has
// answered their SYN, and the packet that completes the handshake is still on its
// way. To them a server that closes l now would be one that broke a connection.
//
// Asking takes milliseconds, since the kernel walks its whole table of
// connections, so it is nothing for a tight loop. The table is that of the
// calling thread's network namespace. What the kernel cannot tell apart is
// counted too: the handshakes of other sockets that listen on the same address
// and port (SO_REUSEPORT), and clients that have connected and sent nothing yet,
// if the listener has TCP_DEFER_ACCEPT. A handshake by SYN cookie, which the
// kernel resorts to when its queue overflows, leaves no trace.
func handshakes(l *net.TCPListener) (int, error) {
	at, err := addressOf(l)
	if err != nil {
		return 0, err
	}
	n, err := at.askSockDiag()
	if err == nil {
		return n, nil
	}
	// No netlink for this process (a seccomp filter, RestrictAddressFamilies of
	// systemd), or a kernel without sock_diag.
	n, procErr := at.readProc()
	if procErr != nil {
		return 0, fmt.Errorf("count handshakes: %w; %w", err, procErr)
	}
	return n, nil
}

// A listenAddress is what a socket listens on.
type listenAddress struct {
	family uint8      // of the socket, and so of its handshakes: those over IPv4 with a socket on [::] are of AF_INET6
	ip     netip.Addr // unspecified: any
	port   uint16
}

func addressOf(l *net.TCPListener) (listenAddress, error) {
	rc, err := l.SyscallConn()
	if err != nil {
		return listenAddress{}, err
	}
	var sa syscall.Sockaddr
	var nameErr error
	if err := rc.Control(func(fd uintptr) { sa, nameErr = syscall.Getsockname(int(fd)) }); err != nil {
		return listenAddress{}, err
	}
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return listenAddress{syscall.AF_INET, netip.AddrFrom4(sa.Addr), uint16(sa.Port)}, nil
	case *syscall.SockaddrInet6:
		return listenAddress{syscall.AF_INET6, netip.AddrFrom16(sa.Addr), uint16(sa.Port)}, nil
	}
	return listenAddress{}, os.NewSyscallError("getsockname", nameErr)
}

// matches reports whether a handshake with the local address ip is l's.
func (a listenAddress) matches(ip netip.Addr) bool {
	return a.ip.IsUnspecified() || a.ip == ip
}

// From linux/inet_diag.h, sock_diag.h and net/tcp_states.h.
const (
	sockDiagByFamily = 20
	tcpSynRecv       = 3

	// struct inet_diag_req_v2 begins with family, protocol, extensions, a byte of
	// padding and a mask of states. The socket's identity follows, which in
	// struct inet_diag_msg stands at the same place but for the mask: source port,
	// destination port, source address, destination address, and 12 bytes more.
	diagReqLen = 56
	diagReqID  = 8
	diagMsgID  = 4
	diagSrc    = 4 // in the identity
)

// askSockDiag asks by netlink (sock_diag(7)), which needs no privilege.
func (a listenAddress) askSockDiag() (int, error) {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_INET_DIAG)
	if err != nil {
		return 0, os.NewSyscallError("netlink socket", err)
	}
	defer syscall.Close(fd)

	native := binary.NativeEndian
	req := make([]byte, syscall.NLMSG_HDRLEN+diagReqLen)
	native.PutUint32(req[0:], uint32(len(req)))
	native.PutUint16(req[4:], sockDiagByFamily)
	native.PutUint16(req[6:], syscall.NLM_F_REQUEST|syscall.NLM_F_DUMP)
	body := req[syscall.NLMSG_HDRLEN:]
	body[0], body[1] = a.family, syscall.IPPROTO_TCP
	native.PutUint32(body[4:], 1<<tcpSynRecv)
	binary.BigEndian.PutUint16(body[diagReqID:], a.port)
	if err := syscall.Sendto(fd, req, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return 0, os.NewSyscallError("netlink sendto", err)
	}

	buf := make([]byte, 32<<10) // as large as a part of the answer gets
	for n := 0; ; {
		// The kernel has each part ready when it is asked for.
		size, _, err := syscall.Recvfrom(fd, buf, syscall.MSG_DONTWAIT)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return 0, os.NewSyscallError("netlink recvfrom", err)
		}
		msgs, err := syscall.ParseNetlinkMessage(buf[:size])
		if err != nil {
			return 0, os.NewSyscallError("netlink answer", err)
		}
		for _, m := range msgs {
			switch m.Header.Type {
			case syscall.NLMSG_DONE:
				return n, nil
			case syscall.NLMSG_ERROR:
				return 0, os.NewSyscallError("sock_diag", syscall.Errno(-int32(native.Uint32(m.Data))))
			case sockDiagByFamily:
				src := m.Data[diagMsgID+diagSrc:]
				ip := netip.AddrFrom4([4]byte(src))
				if a.family == syscall.AF_INET6 {
					ip = netip.AddrFrom16([16]byte(src))
				}
				if a.matches(ip) {
					n++
				}
			}
		}
	}
}

// readProc reads the kernel's table as a text.
func (a listenAddress) readProc() (int, error) {
	name := "/proc/thread-self/net/tcp"
	if a.family == syscall.AF_INET6 {
		name += "6"
	}
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	n := 0
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		// Number, local address, remote address, state, and more. Most lines are
		// not worth a closer look.
		if !bytes.Contains(lines.Bytes(), []byte(" 03 ")) {
			continue
		}
		fields := bytes.Fields(lines.Bytes())
		if len(fields) < 4 || string(fields[3]) != "03" {
			continue
		}
		ip, port, ok := parseProcAddress(fields[1])
		if ok && port == a.port && a.matches(ip) {
			n++
		}
	}
	return n, lines.Err()
}

// parseProcAddress parses "0100007F:1F90": an address as words of the machine,
// each a number of 8 digits, and a port.
func parseProcAddress(text []byte) (ip netip.Addr, port uint16, ok bool) {
	digits, portDigits, _ := bytes.Cut(text, []byte(":"))
	var p [2]byte
	if len(portDigits) != 4 {
		return ip, 0, false
	}
	if _, err := hex.Decode(p[:], portDigits); err != nil {
		return ip, 0, false
	}
	var b [16]byte
	if len(digits) > 2*len(b) {
		return ip, 0, false
	}
	n, err := hex.Decode(b[:], digits)
	if err != nil {
		return ip, 0, false
	}
	for w := b[:n]; len(w) >= 4; w = w[4:] {
		binary.NativeEndian.PutUint32(w, binary.BigEndian.Uint32(w))
	}
	ip, ok = netip.AddrFromSlice(b[:n])
	return ip, binary.BigEndian.Uint16(p[:]), ok
}
