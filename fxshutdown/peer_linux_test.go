package fxshutdown

import (
	"net"
	"syscall"
	"testing"
	"time"
)

// TestUnsent fills the buffers on the way to a client that does not read, until it does.
func TestUnsent(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			address := "127.0.0.1:0"
			if network == "unix" {
				address = t.TempDir() + "/s"
			}
			l, err := net.Listen(network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			client, err := net.Dial(network, l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			server, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			if unsent(server) || unread(server) {
				t.Errorf("unsent() = %v, unread() = %v before anything was written", unsent(server), unread(server))
			}
			server.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			wrote := 0
			for {
				n, err := server.Write(make([]byte, 1<<16))
				wrote += n
				if err != nil {
					break
				}
			}
			if !unsent(server) {
				t.Error("unsent() = false, and the client has not read")
			}
			if !unread(client) {
				t.Error("unread() = false, and the client has not read")
			}
			buf := make([]byte, 1<<16)
			for wrote > 0 {
				n, err := client.Read(buf)
				if err != nil {
					t.Fatal(err)
				}
				wrote -= n
			}
			for end := time.Now().Add(10 * time.Second); unsent(server); {
				if time.Now().After(end) {
					t.Fatal("unsent() = true, and the client has read all")
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	if client, _ := net.Pipe(); unsent(client) || !unread(client) {
		t.Error("unsent or unread claims to know about a pipe")
	}
}

// A client on this machine is near; nothing is known about a connection that is not a TCP
// socket.
func TestRoundTrip(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	pipe, _ := net.Pipe()
	for _, nc := range []net.Conn{client, pipe} {
		if d := roundTrip(nc); d > schedulingSlack {
			t.Errorf("roundTrip(%T) = %v, want little", nc, d)
		}
	}
	var sc syscall.RawConn
	if sc, err = client.(*net.TCPConn).SyscallConn(); err != nil {
		t.Fatal(err)
	}
	sc.Control(func(fd uintptr) {
		if info, err := tcpInfo(fd); err != nil || info[2] < 150_000 {
			t.Errorf("tcpInfo() = %v, %v, want a retransmission timeout of 200 ms or so", info, err)
		}
	})
}

// Bytes that the kernel holds for a peer that has reset the connection go nowhere.
func TestUnsentIsReset(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	server.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	for err == nil {
		_, err = server.Write(make([]byte, 1<<16))
	}
	if !unsent(server) {
		t.Fatal("unsent() = false, and the client has not read")
	}
	client.Close() // with bytes unread
	for end := time.Now().Add(10 * time.Second); unsent(server); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("unsent() = true, and the client has reset the connection")
		}
	}
}
