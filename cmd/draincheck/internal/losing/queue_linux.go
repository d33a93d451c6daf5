package losing

import (
	"fmt"
	"net"
	"os"
	"strings"
)

// queued counts the connections in an IPv4 listener's accept queue on which a request has
// arrived: they are established, and no process has them.
func queued(addr *net.TCPAddr) int {
	ip := addr.IP.To4()
	local := fmt.Sprintf("%02X%02X%02X%02X:%04X", ip[3], ip[2], ip[1], ip[0], addr.Port)
	b, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		panic(err)
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 10 || f[1] != local {
			continue
		}
		_, unread, _ := strings.Cut(f[4], ":")
		if f[3] == "01" && f[9] == "0" && strings.Trim(unread, "0") != "" {
			n++
		}
	}
	return n
}
