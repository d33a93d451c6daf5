package link

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"
)

const (
	device = "link0"
	mtu    = 1500

	// queueLen is how many packets wait in the kernel for the relay. TUN's 500
	// are too few for some hundred clients that begin at once.
	queueLen = underWay
)

// ifreq is the kernel's struct ifreq: a name, and a union that takes 24 bytes at
// most. The functions below put in it what each request wants.
type ifreq [syscall.IFNAMSIZ + 24]byte

func newIfreq(name string) *ifreq {
	r := &ifreq{}
	copy(r[:syscall.IFNAMSIZ-1], name)
	return r
}

func (r *ifreq) value() []byte { return r[syscall.IFNAMSIZ:] }

func (r *ifreq) setFlags(flags uint16) *ifreq {
	binary.NativeEndian.PutUint16(r.value(), flags)
	return r
}

func (r *ifreq) setInt(n uint32) *ifreq {
	binary.NativeEndian.PutUint32(r.value(), n)
	return r
}

// setAddr sets a struct sockaddr_in.
func (r *ifreq) setAddr(a [4]byte) *ifreq {
	binary.NativeEndian.PutUint16(r.value(), syscall.AF_INET)
	copy(r.value()[4:], a[:])
	return r
}

// in6Ifreq is the kernel's struct in6_ifreq.
type in6Ifreq struct {
	addr      [16]byte
	prefixLen uint32
	ifIndex   uint32
}

// The functions below run on a thread of the namespace that they are about.

func openTUN() (*os.File, error) {
	// Not by os.OpenFile: a descriptor that joins the poller before TUNSETIFF is
	// never reported as ready.
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: open /dev/net/tun: %w", ErrUnavailable, err)
	}
	r := newIfreq(device).setFlags(syscall.IFF_TUN | syscall.IFF_NO_PI)
	if err := ioctl(fd, syscall.TUNSETIFF, unsafe.Pointer(r)); err != nil {
		syscall.Close(fd)
		return nil, fmt.Errorf("make a TUN device: %w", err)
	}
	return os.NewFile(uintptr(fd), "/dev/net/tun"), nil
}

// addressIPv4 gives the devices their addresses and brings them up.
func addressIPv4(addr string) error {
	s, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer syscall.Close(s)
	up := func(name string) *ifreq { return newIfreq(name).setFlags(syscall.IFF_UP | syscall.IFF_RUNNING) }
	for _, step := range []struct {
		what    string
		request uint
		arg     *ifreq
	}{
		// The kernel gives lo 127.0.0.1/8. As /32 it leaves the rest to the link.
		{"bring lo up", syscall.SIOCSIFFLAGS, up("lo")},
		{"set lo's netmask", syscall.SIOCSIFNETMASK, newIfreq("lo").setAddr([4]byte{255, 255, 255, 255})},
		{"set the queue's length", syscall.SIOCSIFTXQLEN, newIfreq(device).setInt(queueLen)},
		{"set the address", syscall.SIOCSIFADDR, newIfreq(device).setAddr(netip.MustParseAddr(addr).As4())},
		{"set the netmask", syscall.SIOCSIFNETMASK, newIfreq(device).setAddr([4]byte{255, 255, 255, 0})},
		{"bring the device up", syscall.SIOCSIFFLAGS, up(device)},
	} {
		if err := ioctl(s, step.request, unsafe.Pointer(step.arg)); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	// Loopback addresses from outside are martians without this.
	return os.WriteFile("/proc/sys/net/ipv4/conf/"+device+"/route_localnet", []byte("1"), 0)
}

var errNoIPv6 = errors.New("no IPv6")

// addressIPv6 gives the device, which is up, another address.
func addressIPv6(addr string) error {
	s, err := syscall.Socket(syscall.AF_INET6, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return errNoIPv6
	}
	defer syscall.Close(s)
	index := newIfreq(device)
	if err := ioctl(s, syscall.SIOCGIFINDEX, unsafe.Pointer(index)); err != nil {
		return fmt.Errorf("find the device's index: %w", err)
	}
	r := &in6Ifreq{netip.MustParseAddr(addr).As16(), 64, binary.NativeEndian.Uint32(index.value())}
	if err := ioctl(s, syscall.SIOCSIFADDR, unsafe.Pointer(r)); errors.Is(err, syscall.EACCES) {
		return errNoIPv6 // switched off
	} else if err != nil {
		return fmt.Errorf("set the IPv6 address: %w", err)
	}
	return awaitAddress(s, r.addr)
}

// awaitAddress waits until the kernel has decided that no other host has the address. It
// takes a moment even where there can be no other host.
func awaitAddress(socket int, addr [16]byte) error {
	for end := time.Now().Add(time.Second); ; time.Sleep(time.Millisecond) {
		err := syscall.Bind(socket, &syscall.SockaddrInet6{Addr: addr})
		if err == nil || time.Now().After(end) {
			return os.NewSyscallError("bind", err)
		}
	}
}

func ioctl(fd int, request uint, arg unsafe.Pointer) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(arg)); errno != 0 {
		return os.NewSyscallError("ioctl", errno)
	}
	return nil
}
