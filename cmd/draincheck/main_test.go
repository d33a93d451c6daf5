package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/drain"
	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/losing"
)

// asMain is the environment variable that makes the test binary the command itself.
const asMain = "DRAINCHECK_AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		// The server that it starts is this binary again, and not the command.
		os.Unsetenv(asMain)
		main()
	}
	losing.Main()
	os.Exit(m.Run())
}

func executable(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// draincheck is the command as a process of its own, with the losing server in its
// environment.
func draincheck(t *testing.T, spec losing.Spec, args ...string) *exec.Cmd {
	t.Helper()
	spec.Quiet = 300 * time.Millisecond
	cmd := exec.CommandContext(t.Context(), executable(t), args...)
	cmd.Env = append(os.Environ(), asMain+"=1", spec.Environ())
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// outcome runs the command to its end.
func outcome(t *testing.T, cmd *exec.Cmd) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// against are the flags for a short check of the losing server. New connections are left
// out: on some systems they are lost by accident.
func against(addr string, more ...string) []string {
	return append([]string{"-url", "http://" + addr + "/", "-ready-path", "/ready", "-ready", "30s", "-load", "100ms",
		"-keepalive", "4", "-newconn", "0", "-h2c", "0", "-late", "0", "-silent", "0", "-halfheader", "0"}, more...)
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		spec losing.Spec
		args []string
		code int
		out  string // part of standard output
		err  string // part of standard error
	}{
		{"NothingLost", losing.Spec{}, nil, 0, "PASS: 0 of", ""},
		{"Lost", losing.Spec{Way: losing.Reset, N: 2, Victim: losing.KeepAlive}, nil, 1, "FAIL: 2 of", ""},
		{"IgnoresSignal", losing.Spec{IgnoreSignal: true}, []string{"-within", "200ms"}, 1,
			"FAIL: the process was still running 200ms after the signal, and was killed (0 of", ""},
		{"ExitsByItself", losing.Spec{ExitAfter: 2 * time.Second}, []string{"-load", "1m"}, 2,
			"", "draincheck: the command exited by itself before it was told to stop (exit code 3)"},
		{"NoAnswer", losing.Spec{Mute: true}, []string{"-ready", "300ms"}, 2, "", "did not answer"},
		{"Quiet", losing.Spec{}, []string{"-q"}, 0, "PASS: 0 of", ""},
		{"Verbose", losing.Spec{}, []string{"-v"}, 0, "", "listening on"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.spec.Addr = losing.FreeAddr(t)
			args := append(against(tt.spec.Addr, tt.args...), "--", executable(t))
			stdout, stderr, code := outcome(t, draincheck(t, tt.spec, args...))
			if code != tt.code || !strings.Contains(stdout, tt.out) || !strings.Contains(stderr, tt.err) {
				t.Errorf("exit code %d, want %d with %q and %q\n%s%s", code, tt.code, tt.out, tt.err, stdout, stderr)
			}
		})
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	spec := losing.Spec{Addr: losing.FreeAddr(t), Way: losing.Truncated, N: 2, Victim: losing.KeepAlive}
	args := append(against(spec.Addr, "-rounds", "2", "-silent", "1", "-ws-path", "/ws"), "--", executable(t))
	stdout, _, _ := outcome(t, draincheck(t, spec, args...))
	for _, want := range []string{
		"SIGTERM to ", "keepalive", "websocket", "polite end", "silent", "port closed", "rounds 1, 2: requests lost before the signal",
		"4 lost (4 of them before the signal), response: keepalive 4", "what helps: ", "before the signal, failed ", "FAIL: 4 of", "in 2 rounds",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the table lacks %q:\n%s", want, stdout)
		}
	}
}

func TestJSONAndJUnit(t *testing.T) {
	t.Parallel()
	spec := losing.Spec{Addr: losing.FreeAddr(t), Way: losing.EOF, N: 3, Victim: losing.KeepAlive}
	junit := filepath.Join(t.TempDir(), "junit.xml")
	args := append(against(spec.Addr, "-json", "-junit", junit, "-rounds", "2"), "--", executable(t))
	stdout, stderr, code := outcome(t, draincheck(t, spec, args...))
	if code != 1 {
		t.Fatalf("exit code %d, want 1\n%s", code, stderr)
	}
	dec := json.NewDecoder(strings.NewReader(stdout))
	dec.DisallowUnknownFields()
	var res drain.Result
	if err := dec.Decode(&res); err != nil || dec.More() {
		t.Fatalf("standard output is not one JSON result: %v\n%s", err, stdout)
	}
	if res.Schema != drain.Schema || res.Verdict != drain.Fail || res.Total.Lost != 6 || len(res.Rounds) != 2 ||
		len(res.Rounds[1].Losses) != 3 || res.Signal != "SIGTERM" {
		t.Errorf("result = %+v, want 6 lost in 2 rounds", res)
	}

	b, err := os.ReadFile(junit)
	if err != nil {
		t.Fatal(err)
	}
	var suites junitSuites
	if err := xml.Unmarshal(b, &suites); err != nil {
		t.Fatal(err)
	}
	suite := suites.Suites[0]
	if suite.Tests != 2 || suite.Failures != 2 || suite.Errors != 0 || suite.Cases[1].Failure == nil ||
		!strings.HasPrefix(suite.Cases[1].Failure.Message, "3 of ") ||
		strings.Count(suite.Cases[1].Failure.Text, "EOF") != 3 {
		t.Errorf("suite = %+v, want 2 failures that name 3 losses each\n%s", suite, b)
	}
}

func TestJSONOfError(t *testing.T) {
	t.Parallel()
	junit := filepath.Join(t.TempDir(), "junit.xml")
	args := append(against(losing.FreeAddr(t), "-json", "-junit", junit), "--", "./no-such-command")
	stdout, stderr, code := outcome(t, draincheck(t, losing.Spec{}, args...))
	var res drain.Result
	if err := json.Unmarshal([]byte(stdout), &res); err != nil {
		t.Fatalf("standard output is not JSON: %v\n%s", err, stdout)
	}
	if code != 2 || res.Verdict != drain.Error || !strings.Contains(res.Error, "no-such-command") ||
		!strings.Contains(stderr, "no-such-command") {
		t.Errorf("exit code %d, result %+v, want 2 and the error\n%s", code, res, stderr)
	}
	b, err := os.ReadFile(junit)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), `errors="1"`) || !strings.Contains(string(b), "no-such-command") {
		t.Errorf("junit = %s, want the error", b)
	}
}

func TestBadFlags(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{}, []string{"-url: name what to load", "no command"}},
		{[]string{"-url", "ftp://127.0.0.1/"}, []string{`-url "ftp://127.0.0.1/": want http`}},
		{[]string{"-url", "http://u:p@127.0.0.1/"}, []string{"-url: a user and a password"}},
		{[]string{"-bogus"}, []string{"-bogus"}},
		{[]string{"-keepalive", "-1"}, []string{"-keepalive -1"}},
		{[]string{"-keepalive", "x"}, []string{"-keepalive"}},
		{[]string{"-slow", "-1"}, []string{"-slow"}},
		{[]string{"-slow", "900ms"}, []string{"-slow", "-slow-limit"}},
		{[]string{"-url", "127.0.0.1:8080"}, []string{"add the scheme, as in http://127.0.0.1:8080"}},
		{[]string{"-expect", "ok"}, []string{"-expect", "such as 404 or 2xx"}},
		{[]string{"-expect-after", "5"}, []string{"-expect-after"}},
		{[]string{"-grpc", "Method"}, []string{"-grpc", "/package.Service/Method"}},
		{[]string{"-cert", "x"}, []string{"-cert and -key go together"}},
		{[]string{"-pid", "1", "--", "x"}, []string{"choose one"}},
		{[]string{"-pid", "12", "-rounds", "2"}, []string{"-start-command"}},
		{[]string{"-handover", "-stop-command", "x"}, []string{"-handover and -stop-command"}},
		{[]string{"-target", "x", "-pid", "12"}, []string{"-target", "add the scheme"}},
		{[]string{"-newconn", "999999"}, []string{"-newconn 999999: at most"}},
		{[]string{"-keepalive", "0", "-newconn", "0", "-late", "0", "-silent", "0", "-halfheader", "0", "-h2", "0", "-h2c", "0"},
			[]string{"every kind of load is off"}},
		{[]string{"-url", "http://127.0.0.1/", "-h2", "1"}, []string{"-h2 1: HTTP/2 over TLS needs an https:// -url"}},
		{[]string{"-url", "https://127.0.0.1/", "-h2c", "1"}, []string{"-h2c 1"}},
		{[]string{"-url", "http://127.0.0.1/", "-insecure"}, []string{"-cacert and -insecure are for"}},
		{[]string{"-url", "https://127.0.0.1/", "-insecure", "-cacert", "x"}, []string{"choose one"}},
		{[]string{"-signal", "NOPE"}, []string{"-signal", "NOPE"}},
		{[]string{"-method", "PO ST"}, []string{"-method"}},
		{[]string{"-header", "nocolon"}, []string{"-header", "Name: value"}},
		{[]string{"-header", "Bad Name: x"}, []string{"-header", "Bad Name"}},
		{[]string{"-header", "Content-Length: 3"}, []string{"-header Content-Length"}},
		{[]string{"-body", "@no-such-file"}, []string{"-body", "no-such-file"}},
		{[]string{"-slow-path", "slow"}, []string{"-slow-path"}},
		{[]string{"-ws-path", "/a b"}, []string{"-ws-path"}},
		{[]string{"-within", "0s"}, []string{"-within 0s"}},
		{[]string{"-load", "-1s"}, []string{"-load -1s"}},
		{[]string{"-load", "soon"}, []string{"-load"}},
		{[]string{"-rounds", "0"}, []string{"-rounds 0"}},
		{[]string{"-h2-concurrency", "0"}, []string{"-h2-concurrency 0"}},
		{[]string{"-pool", "4", "-pool-busy", "5"}, []string{"-pool-busy 5: want 1 to 4"}},
		{[]string{"-spread", "-1s"}, []string{"-spread -1s"}},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			var out, errs bytes.Buffer
			code := run(t.Context(), tt.args, &out, &errs)
			if code != exitError || out.Len() > 0 {
				t.Errorf("run() = %d, output %q, want %d and none", code, &out, exitError)
			}
			for _, want := range tt.want {
				if !strings.Contains(errs.String(), want) {
					t.Errorf("message %q, want %q in it", &errs, want)
				}
			}
		})
	}
}

// TestUsage holds the usage against the flags that there are, and against their defaults.
func TestUsage(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"-h"}, &out, &errs); code != exitPass || errs.Len() > 0 {
		t.Errorf("run(-h) = %d %q, want %d", code, &errs, exitPass)
	}
	inv := &invocation{cfg: drain.Default()}
	inv.flags().VisitAll(func(f *flag.Flag) {
		_, entry, ok := strings.Cut(out.String(), "\n  -"+f.Name+" ")
		if !ok {
			t.Errorf("-%s is not in the usage", f.Name)
			return
		}
		entry, _, _ = strings.Cut(entry, "\n  -")
		switch f.DefValue {
		case "", "false", "auto":
		default:
			if !strings.Contains(entry, "("+f.DefValue) {
				t.Errorf("the usage of -%s does not name its default %s: %s", f.Name, f.DefValue, entry)
			}
		}
	})
}

// A GET has a body only if one was asked for: servers refuse it.
func TestBodyOfGET(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "draincheck"},
		{[]string{"-method", "PUT"}, "draincheck"},
		{[]string{"-method", "GET"}, ""},
		{[]string{"-method", "HEAD"}, ""},
		{[]string{"-method", "GET", "-body", "q"}, "q"},
		{[]string{"-body", "q", "-method", "GET"}, "q"},
		{[]string{"-body", ""}, ""},
	} {
		args := append(append([]string{"-url", "http://127.0.0.1:1/"}, tt.args...), "--", "true")
		inv, err := parse(args, io.Discard)
		if err != nil || inv.cfg.Body != tt.want {
			t.Errorf("%q: body %q, %v, want %q", tt.args, inv.cfg.Body, err, tt.want)
		}
	}
}
