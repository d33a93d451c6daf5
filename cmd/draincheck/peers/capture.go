package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// A loss is a lost request as draincheck reports it.
type loss struct {
	Cause     string    `json:"cause"`
	LocalPort int       `json:"local_port"`
	WrittenAt time.Time `json:"written_at"`
	FailedAt  time.Time `json:"failed_at"`
	Error     string    `json:"error"`
}

// A recording is a capture of what goes over the port.
type recording struct {
	file string
	port int
	cmd  *exec.Cmd
}

// record starts tcpdump, and returns when tcpdump listens.
func record(ctx context.Context, file string, port int) (*recording, error) {
	cmd := exec.CommandContext(ctx, "tcpdump", "-i", "lo", "-s", "96", "-B", "65536", "--immediate-mode", "-U", "-w", file, "tcp", "port", strconv.Itoa(port))
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	// It says so when it has opened the interface.
	var said []byte
	var b [512]byte
	for !bytes.Contains(said, []byte("listening on")) {
		n, err := stderr.Read(b[:])
		if err != nil {
			return nil, errors.Join(fmt.Errorf("tcpdump: %s", said), cmd.Wait())
		}
		said = append(said, b[:n]...)
	}
	return &recording{file: file, port: port, cmd: cmd}, nil
}

// A packet is what a match looks at.
type packet struct {
	at         time.Time
	fromServer bool
	client     int // the client's port
	data       int
	fin, reset bool
}

// match looks each loss up. In the other direction, it counts the connections that end
// with a request which draincheck reported neither as lost nor as cut.
func (r *recording) match(ctx context.Context, losses, cut []loss) (string, error) {
	// What the kernel has not handed over yet would be lost with tcpdump.
	time.Sleep(time.Second)
	if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
		return "", err
	}
	_ = r.cmd.Wait()
	packets, err := r.packets(ctx)
	if err != nil {
		return "", err
	}
	matched := 0
	reported := map[int]bool{}
	for _, l := range losses {
		reported[l.LocalPort] = true
		if err := explains(packets[l.LocalPort], l); err != nil {
			fmt.Fprintf(os.Stderr, "not in the capture: %s from port %d at %v: %v\n", l.Cause, l.LocalPort, l.WrittenAt, err)
			continue
		}
		matched++
	}
	for _, l := range cut {
		reported[l.LocalPort] = true
	}
	missed := 0
	for port, list := range packets {
		if !reported[port] && unanswered(list) {
			missed++
		}
	}
	return fmt.Sprintf("%d of %d losses found, %d not told", matched, len(losses), missed), nil
}

// packets reads the capture, by the client's port.
func (r *recording) packets(ctx context.Context) (map[int][]packet, error) {
	out, err := exec.CommandContext(ctx, "tshark", "-r", r.file, "-T", "fields", "-e", "frame.time_epoch", "-e", "tcp.srcport",
		"-e", "tcp.dstport", "-e", "tcp.len", "-e", "tcp.flags.fin", "-e", "tcp.flags.reset").Output()
	if err != nil {
		return nil, fmt.Errorf("tshark: %w", err)
	}
	packets := map[int][]packet{}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) != 6 {
			continue
		}
		src, _ := strconv.Atoi(f[1])
		dst, _ := strconv.Atoi(f[2])
		size, _ := strconv.Atoi(f[3])
		p := packet{at: epoch(f[0]), fromServer: src == r.port, client: src, data: size, fin: isSet(f[4]), reset: isSet(f[5])}
		if p.fromServer {
			p.client = dst
		}
		packets[p.client] = append(packets[p.client], p)
	}
	return packets, nil
}

func isSet(flag string) bool { return flag == "1" || flag == "True" }

func epoch(text string) time.Time {
	whole, part, _ := strings.Cut(text, ".")
	s, _ := strconv.ParseInt(whole, 10, 64)
	ns, _ := strconv.ParseInt((part + "000000000")[:9], 10, 64)
	return time.Unix(s, ns)
}

// explains says whether the packets of a loss's port agree with draincheck: they have the
// request, and after it no answer, but the end that belongs to the cause.
func explains(list []packet, l loss) error {
	const slack = 50 * time.Millisecond
	var request *packet
	var data int
	var fin, reset bool
	for i := range list {
		p := &list[i]
		if p.at.Before(l.WrittenAt.Add(-time.Millisecond)) || p.at.After(l.FailedAt.Add(slack)) {
			continue
		}
		switch {
		case !p.fromServer && p.data > 0 && request == nil:
			request = p
		case p.fromServer && request != nil:
			data += p.data
			fin, reset = fin || p.fin, reset || p.reset
		case p.fromServer && p.fin:
			fin = true // it crossed the request on the way
		}
	}
	switch {
	case request == nil:
		return errors.New("no request")
	case l.Cause == "response":
		if data == 0 {
			return errors.New("no byte of a response")
		}
	case data > 0:
		return fmt.Errorf("%d bytes of a response", data)
	case (l.Cause == "queue" || l.Cause == "idle") && !reset:
		return errors.New("no reset")
	case l.Cause == "handler" && !fin:
		return errors.New("no end of file")
	}
	return nil
}

// unanswered says whether the last data on a connection was the client's.
func unanswered(list []packet) bool {
	last := false
	for _, p := range list {
		if p.data > 0 {
			last = !p.fromServer
		}
	}
	return last
}
