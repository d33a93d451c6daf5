package losing

import (
	"net"
	"time"
)

// unreadRequest is how many bytes have to be unread for an HTTP/2 request to be among
// them. A test that closes HTTP/2 connections unread has requests of more than that.
const unreadRequest = 500

// closeUnread closes a connection as soon as n bytes are there that were not read, which
// resets it: a server that takes it for idle does so at the wrong moment.
func (s *server) closeUnread(c *conn, n int) {
	s.count(func(st *Stats) { st.Lost++; st.Received++ })
	for unread(c.tcp) < n {
		time.Sleep(200 * time.Microsecond)
	}
	c.tcp.Close()
}

// unread is how many bytes the kernel holds for a connection.
func unread(c socket) int {
	rc, err := c.SyscallConn()
	if err != nil {
		panic(err)
	}
	held := 0
	err = rc.Control(func(fd uintptr) { held = peek(fd, make([]byte, unreadRequest)) })
	if err != nil {
		panic(err)
	}
	return held
}

// closeQueued closes the listener as soon as N connections with a request are in its
// queue. The kernel resets them.
func (s *server) closeQueued(accepted <-chan struct{}) {
	s.listener.SetDeadline(time.Unix(1, 0))
	<-accepted
	for queued(s.listener.Addr().(*net.TCPAddr)) < s.spec.N {
		time.Sleep(time.Millisecond)
	}
	s.count(func(st *Stats) { st.Lost += s.spec.N; st.Received += s.spec.N })
	s.listener.Close()
}

func (s *server) remaining() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left
}

// status is that of the answers.
func (s *server) status() int {
	if s.spec.Rate > 0 && s.tooMany() {
		return 429
	}
	status := s.spec.Status
	if s.isDraining() && s.spec.StatusAfter != 0 {
		status = s.spec.StatusAfter
	}
	if status == 0 {
		status = 200
	}
	return status
}

func (s *server) tooMany() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now().Truncate(time.Second); !now.Equal(s.second) {
		s.second, s.answers = now, 0
	}
	s.answers++
	return s.answers > s.spec.Rate
}
