package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
	"github.com/fxshutdown/fxhttp/internal/testproc"
)

// service is the example, running as a process of its own.
type service struct {
	cmd        *exec.Cmd
	stderr     io.ReadCloser
	api, admin string // URLs

	mu    sync.Mutex // guards lines
	lines []entry
	ended chan struct{} // closed when the log has ended
}

// entry is a line of the log.
type entry struct {
	Msg    string `json:"msg"`
	Server string `json:"server"`
	Addr   string `json:"addr"`
}

func startService(t *testing.T, args ...string) *service {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "example")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	s := &service{
		cmd:   exec.Command(bin, append([]string{"-addr", "127.0.0.1:0", "-admin", "127.0.0.1:0"}, args...)...),
		ended: make(chan struct{}),
	}
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.stderr = stderr
	if err := testproc.Start(s.cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.cmd.Process.Kill() })

	started := make(chan struct{})
	go func() {
		defer close(s.ended)
		n := 0
		for sc := bufio.NewScanner(stderr); sc.Scan(); {
			var e entry
			if json.Unmarshal(sc.Bytes(), &e) != nil {
				e.Msg = sc.Text()
			}
			s.mu.Lock()
			s.lines = append(s.lines, e)
			s.mu.Unlock()
			if e.Msg == "http server started" {
				if e.Server == "admin" {
					s.admin = "http://" + e.Addr
				} else {
					s.api = "http://" + e.Addr
				}
				if n++; n == 2 {
					close(started)
				}
			}
		}
	}()
	select {
	case <-started:
	case <-s.ended:
		t.Fatalf("the service ended:\n%v", s.log())
	case <-time.After(30 * time.Second):
		t.Fatalf("the service did not start:\n%v", s.log())
	}
	return s
}

func (s *service) log() []entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lines)
}

// wait waits for the process to end and returns its exit code.
func (s *service) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-s.ended:
	case <-time.After(30 * time.Second):
		t.Fatalf("the service did not end:\n%v", s.log())
	}
	s.cmd.Wait()
	return s.cmd.ProcessState.ExitCode()
}

type reply struct {
	status int
	body   string
	close  bool
	err    error
}

func get(url string) (r reply) {
	resp, err := http.Get(url)
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, string(b), resp.Close, err}
}

// TestStop stops the service in the middle of a slow request, an event stream
// and an upload.
func TestStop(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be sent an interrupt")
	}
	s := startService(t, "-work", "1500ms")

	if r := get(s.api + "/items/kettle"); r.err != nil || r.body != `{"name":"kettle","price":42}`+"\n" || r.close {
		t.Errorf("item = %+v", r)
	}
	if r := get(s.admin + "/readyz"); r.status != http.StatusOK {
		t.Errorf("ready = %+v, want 200", r)
	}

	// The stream has begun, half of the upload has been sent, and the report is under way.
	events, err := http.Get(s.api + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	stream := bufio.NewReader(events.Body)
	if line, err := stream.ReadString('\n'); err != nil || line != "event: tick\n" {
		t.Fatalf("stream began with %q, %v", line, err)
	}
	body, write := io.Pipe()
	upload, report := make(chan reply, 1), make(chan reply, 1)
	go func() {
		resp, err := http.Post(s.api+"/upload", "application/octet-stream", body)
		if err != nil {
			upload <- reply{err: err}
			return
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		upload <- reply{resp.StatusCode, string(b), resp.Close, err}
	}()
	half := []byte(strings.Repeat("half of it. ", 10_000))
	if _, err := write.Write(half); err != nil {
		t.Fatal(err)
	}
	go func() { report <- get(s.api + "/report") }()
	s.awaitInFlight(t, 3)
	if r := get(s.admin + "/requests"); !regexp.MustCompile(`"age":"[0-9.]+(µs|ms|s)"`).MatchString(r.body) {
		t.Errorf("/requests = %s, want ages with a unit", r.body)
	}
	if r := get(s.admin + "/requests"); !strings.Contains(r.body, `"path":"/report"`) || !strings.Contains(r.body, `"path":"/upload"`) {
		t.Errorf("/requests = %s, want the report and the upload in it", r.body)
	}

	if err := testproc.Interrupt(s.cmd.Process); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(stream)
	if err != nil || !strings.HasSuffix(string(rest), "event: goodbye\ndata: come back soon\n\n") {
		t.Errorf("stream ended with %q, %v", rest, err)
	}
	// The drain has begun: the stream was told to end. The admin server still answers.
	if r := get(s.admin + "/readyz"); r.status != http.StatusServiceUnavailable {
		t.Errorf("ready while draining = %+v, want 503", r)
	}
	if _, err := write.Write(half); err != nil {
		t.Errorf("second half of the upload: %v", err)
	}
	write.Close()
	sum := sha256.Sum256(append(half, half...))
	if r := <-upload; r.err != nil || r.status != 200 || !r.close || !strings.Contains(r.body, hex.EncodeToString(sum[:])) {
		t.Errorf("upload = %+v, want the digest of all of it, and close", r)
	}
	if r := <-report; r.err != nil || r.body != `{"items":42}`+"\n" || !r.close {
		t.Errorf("report = %+v, want 42 items, and close", r)
	}
	if code := s.wait(t); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	s.wantOrder(t,
		entry{Msg: "database opened"},
		entry{Msg: "http server stopping"},
		entry{Msg: "http server draining"},
		entry{Msg: "http server closed its listener"},
		entry{Msg: "http server stopped"},
		entry{Msg: "database closed"},
		entry{Msg: "http server stopping", Server: "admin"},
		entry{Msg: "http server stopped", Server: "admin"},
	)
}

// TestSecondSignal checks that a second signal ends the drain without waiting for the
// report.
func TestSecondSignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be sent an interrupt")
	}
	s := startService(t, "-work", "1h")
	report := make(chan reply, 1)
	go func() { report <- get(s.api + "/report") }()
	s.awaitInFlight(t, 1)
	if err := testproc.Interrupt(s.cmd.Process); err != nil {
		t.Fatal(err)
	}
	s.awaitLine(t, entry{Msg: "http server closed its listener"})
	time.Sleep(700 * time.Millisecond) // one that comes within 500 ms is a repeat
	s.cmd.Process.Signal(os.Interrupt)
	r := <-report
	if r.err == nil && r.status == http.StatusOK {
		t.Errorf("report = %+v, want none", r)
	}
	// A handler that is cancelled may answer before its connection is cut.
	if code := s.wait(t); code != 1 && (code != 0 || r.err != nil) {
		t.Errorf("exit code %d, want 1: a request was aborted", code)
	}
	s.wantOrder(t,
		entry{Msg: "fxhttp: the signal interrupt ends the drain of the server by force"},
		entry{Msg: "http server stopped"},
		entry{Msg: "database closed"},
	)
}

// TestLogReaderGone stops the service when nobody reads its log any longer.
func TestLogReaderGone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be sent SIGTERM")
	}
	s := startService(t, "-work", "500ms")
	report := make(chan reply, 1)
	go func() { report <- get(s.api + "/report") }()
	s.awaitInFlight(t, 1)
	s.stderr.Close()
	<-s.ended
	if err := testproc.Interrupt(s.cmd.Process); err != nil {
		t.Fatal(err)
	}
	if r := <-report; r.err != nil || r.body != `{"items":42}`+"\n" {
		t.Errorf("report = %+v, want 42 items", r)
	}
	if code := s.wait(t); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

// awaitInFlight polls the admin server until n requests are running.
func (s *service) awaitInFlight(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		var stats map[string]fxshutdown.Stats
		if r := get(s.admin + "/stats"); json.Unmarshal([]byte(r.body), &stats) == nil && stats["http"].InFlight == n {
			return
		}
	}
	t.Fatalf("never had %d requests in flight", n)
}

func (s *service) awaitLine(t *testing.T, want entry) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if slices.ContainsFunc(s.log(), want.matches) {
			return
		}
	}
	t.Fatalf("never logged %q:\n%v", want.Msg, s.log())
}

// matches compares everything except the address.
func (e entry) matches(got entry) bool { return got.Msg == e.Msg && got.Server == e.Server }

// wantOrder checks that the lines come in this order. There may be others between them.
func (s *service) wantOrder(t *testing.T, want ...entry) {
	t.Helper()
	log := s.log()
	rest := log
	for _, w := range want {
		i := slices.IndexFunc(rest, w.matches)
		if i < 0 {
			t.Fatalf("no line %+v in its place:\n%+v", w, log)
		}
		rest = rest[i+1:]
	}
}
