package main

import (
	"fmt"
	"net"
	"os/exec"
	"strconv"
)

// family is the address family of the cluster.
type family struct {
	name    string             // of its results
	table   string             // of nftables
	service string             // the address of the service, which draincheck wants on loopback
	pod     func(n int) string // the address of the n-th pod
}

var (
	ipv4 = family{"IPv4", "ip", "127.0.100.1", func(n int) string { return fmt.Sprintf("127.0.%d.%d", 1+n/250, 1+n%250) }}
	ipv6 = family{"IPv6", "ip6", "::1", func(n int) string { return fmt.Sprintf("fd00::1:%x", n) }}
)

// servingPort is that of the service and of the pods.
const servingPort = 8080

// url is that of the service.
func (f *family) url() string {
	return "http://" + net.JoinHostPort(f.service, strconv.Itoa(servingPort)) + "/"
}

// address makes addr one of this machine, which those of IPv4 are already.
func (f *family) address(addr string) error {
	if f.table == ipv4.table {
		return nil
	}
	if out, err := exec.Command("ip", "-6", "address", "replace", addr+"/128", "dev", "lo", "nodad").CombinedOutput(); err != nil {
		return fmt.Errorf("ip address replace: %w\n%s", err, out)
	}
	return nil
}
