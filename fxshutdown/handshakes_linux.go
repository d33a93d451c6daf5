package fxshutdown

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"strconv"
	"syscall"
)

// A listenAddress is what a socket listens on.
type listenAddress struct {
	family uint8      // of the socket, and so of its handshakes: those over IPv4 with a socket on [::] are of AF_INET6
	ip     netip.Addr // unspecified: any
	port   uint16
}

// address returns what s listens on.
func (s *socket) address() (listenAddress, error) {
	var sa syscall.Sockaddr
	var nameErr error
	if err := s.Control(func(fd uintptr) { sa, nameErr = syscall.Getsockname(int(fd)) }); err != nil {
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

// matches reports whether a handshake with the local address ip belongs to a.
func (a listenAddress) matches(ip netip.Addr) bool {
	return a.ip.IsUnspecified() || a.ip == ip
}

// From linux/inet_diag.h, sock_diag.h and net/tcp_states.h.
const (
	sockDiagByFamily = 20
	tcpSynRecv       = 3

	// struct inet_diag_req_v2 begins with family, protocol, extensions, a byte of
	// padding and a mask of states. The socket's identity follows, which in
	// struct inet_diag_msg is in the same place except for the mask: source port,
	// destination port, source address, destination address, and 12 bytes more.
	// A handshake's third byte is how often its SYN-ACK was sent again.
	diagReqLen     = 56
	diagReqID      = 8
	diagMsgID      = 4
	diagMsgRetrans = 3
	diagSrc        = 4 // in the identity
)

// abandoned is how often the answer to a client's SYN was sent again before the client
// counts as gone: it has been silent for 3 s, as port scanners are.
const abandoned = 2

// askSockDiag asks through netlink (sock_diag(7)), which needs no privilege.
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

	buf := make([]byte, 32<<10) // no part of the answer is larger
	for n := 0; ; {
		// The kernel has each part ready when asked for it.
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
				if m.Data[diagMsgRetrans] >= abandoned {
					continue
				}
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

// procFile is the file that has the kernel's table.
func (a listenAddress) procFile() string {
	if a.family == syscall.AF_INET6 {
		return "/proc/thread-self/net/tcp6"
	}
	return "/proc/thread-self/net/tcp"
}

// readProc counts the handshakes in the text form of the kernel's table.
func (a listenAddress) readProc() (int, error) {
	f, err := os.Open(a.procFile())
	if err != nil {
		return 0, err
	}
	defer f.Close()
	n := 0
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		// The fields are number, local address, remote address, state, two that do not
		// matter here, and how often the SYN-ACK was sent again. Most lines are not worth
		// a closer look.
		if !bytes.Contains(lines.Bytes(), []byte(" 03 ")) {
			continue
		}
		fields := bytes.Fields(lines.Bytes())
		if len(fields) < 7 || string(fields[3]) != "03" {
			continue
		}
		if again, err := strconv.ParseUint(string(fields[6]), 16, 32); err != nil || again >= abandoned {
			continue
		}
		ip, port, ok := parseProcAddress(fields[1])
		if ok && port == a.port && a.matches(ip) {
			n++
		}
	}
	return n, lines.Err()
}

// parseProcAddress parses "0100007F:1F90": an address as machine words of 8 hexadecimal
// digits each, and a port.
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
