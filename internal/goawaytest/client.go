package main

import (
	"bufio"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	requestMost = 3 * time.Second // the clients' timeout for a request
	roundMost   = 8 * time.Second // a round ends at the latest
	// failMost is how many failures in a row end a worker: httpx 0.23 never leaves a
	// connection that had GOAWAY.
	failMost = 2
)

// spec is what a client does in a round: workers send POSTs with bodies of so many
// bytes, each its next one after a pause, until the server is gone.
type spec struct {
	addr    string
	tls     bool
	workers int
	pause   time.Duration // a request's pause is up to this long, by its id
	body    int
	slow    bool  // some requests take long
	first   int64 // ids are greater than this
}

func (s spec) url() string {
	if s.tls {
		return "https://" + s.addr + "/"
	}
	return "http://" + s.addr + "/"
}

func (s spec) pauseOf(id int64) time.Duration {
	return s.pause * time.Duration(id*6131%11) / 10
}

// driver runs rounds of a client.
type driver interface {
	round(spec) ([]result, error)
	close()
}

// client is a row of the table.
type client struct {
	name  string
	spec  spec
	start func(dir string) (driver, error) // errAbsent if this machine lacks it
}

var errAbsent = errors.New("absent")

var clients = []client{
	{"Go, TLS, 8 streams", spec{tls: true, workers: 8, body: 100}, startGo},
	{"Go, h2c, 8 streams", spec{workers: 8, body: 100}, startGo},
	{"Go, TLS, 8 streams of 100 KB", spec{tls: true, workers: 8, body: 100_000}, startGo},
	{"grpc-go, TLS, 8 streams", spec{tls: true, workers: 8, body: 100}, startGRPC},
	{"grpc-go, h2c, 8 streams", spec{workers: 8, body: 100}, startGRPC},
	{"curl, TLS, 8 streams", spec{tls: true, workers: 8, body: 100}, startCurl},
	{"JDK, 1 stream", spec{tls: true, workers: 1, body: 100}, startJava},
	{"JDK, 8 streams", spec{tls: true, workers: 8, body: 100}, startJava},
	{"JDK, 8 streams of 100 KB", spec{tls: true, workers: 8, body: 100_000}, startJava},
	{"JDK, 8 streams, some slow", spec{tls: true, workers: 8, body: 100, slow: true}, startJava},
	{"JDK, 4 streams, pauses", spec{tls: true, workers: 4, body: 100, pause: 100 * time.Millisecond}, startJava},
	{"httpx, 1 stream", spec{tls: true, workers: 1, body: 100}, startPython},
	{"httpx, 8 streams", spec{tls: true, workers: 8, body: 100}, startPython},
	{"httpx, 4 streams, pauses", spec{tls: true, workers: 4, body: 100, pause: 100 * time.Millisecond}, startPython},
}

func startGo(string) (driver, error)   { return goDriver{}, nil }
func startGRPC(string) (driver, error) { return grpcDriver{}, nil }

//go:embed clients
var sources embed.FS

// unpack writes a client's source into dir.
func unpack(dir, name string) (string, error) {
	text, err := sources.ReadFile("clients/" + name)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	return path, os.WriteFile(path, text, 0o644)
}

func startJava(dir string) (driver, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, errAbsent
	}
	path, err := unpack(dir, "Client.java")
	if err != nil {
		return nil, err
	}
	return startProcess(java, "-XX:+UseSerialGC", path)
}

func startPython(dir string) (driver, error) {
	path, err := unpack(dir, "client.py")
	if err != nil {
		return nil, err
	}
	// A python3 that comes first in the path may lack Debian's packages.
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import httpx, h2").Run() == nil {
			return startProcess(python, path)
		}
	}
	return nil, errAbsent
}

// process is a client that runs as a process of its own, for many rounds. It
// reads a line for each round and answers with a line for each request, and "end".
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startProcess(name string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(name, args...)}
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	return p, p.cmd.Start()
}

func (p *process) round(s spec) ([]result, error) {
	if _, err := fmt.Fprintln(p.in, s.url(), s.workers, s.pause.Milliseconds(), s.body, s.first,
		requestMost.Milliseconds(), roundMost.Milliseconds(), failMost); err != nil {
		return nil, err
	}
	var results []result
	for {
		line, err := p.out.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("%s ended: %w", p.cmd.Path, err)
		}
		line = strings.TrimSuffix(line, "\n")
		if line == "end" {
			return results, nil
		}
		res, err := parse(line)
		if err != nil {
			return nil, err
		}
		results = append(results, res)
	}
}

func (p *process) close() {
	p.in.Close()
	kill := time.AfterFunc(5*time.Second, func() { p.cmd.Process.Kill() })
	defer kill.Stop()
	p.cmd.Wait()
}

// parse reads "kind id text".
func parse(line string) (result, error) {
	f := strings.SplitN(line, " ", 3)
	if len(f) < 2 {
		return result{}, fmt.Errorf("unexpected line %q", line)
	}
	id, err := strconv.ParseInt(f[1], 10, 64)
	if err != nil || f[0] != "ok" && f[0] != "fail" && f[0] != "never" {
		return result{}, fmt.Errorf("unexpected line %q", line)
	}
	res := result{id: id, kind: f[0]}
	if len(f) == 3 {
		res.text = tidy(f[2])
	}
	return res, nil
}

var digits = regexp.MustCompile(`[0-9]+`)

// tidy makes errors that differ in numbers alone the same.
func tidy(text string) string {
	text = digits.ReplaceAllString(strings.ReplaceAll(text, "\n", " "), "N")
	if len(text) > 120 {
		text = text[:120]
	}
	return text
}
