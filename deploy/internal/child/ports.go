package child

import (
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
)

// The kernel takes the ports of outgoing connections from 32768 on (Linux), 49152
// elsewhere. One of these could be taken by a client of the load while the instance that
// listens on it is down, which then could not start again.
const (
	firstPort = 10000
	lastPort  = 30000
)

// Ports returns n ports that are free on all addresses at the moment.
func Ports(n int) ([]int, error) {
	var ports []int
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if slices.Contains(ports, port) || !free(port) {
			continue
		}
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, errors.New("no free ports between 10000 and 30000")
}

func free(port int) bool {
	ln, err := net.Listen("tcp", ":"+strconv.Itoa(port))
	if err != nil {
		return false
	}
	ln.Close()
	return true
}
