package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/fxshutdown/fxhttp/bench/internal/results"
	"github.com/fxshutdown/fxhttp/bench/internal/subject"
	"github.com/fxshutdown/fxhttp/internal/testcert"
)

const modulePath = "github.com/fxshutdown/fxhttp/bench"

// A built bench: all programs are there.
type built struct {
	dir        string
	place      subject.Place
	draincheck string
	subjects   []subject.Subject
	absent     []results.Absent
	machine    results.Machine
	commit     string
}

// absentPeers were not available when the results were made.
var absentPeers = []results.Absent{{
	Name: "yokai's fxhttpserver (github.com/ankorstore/yokai/fxhttpserver)",
	Reason: "it could not be fetched when these results were made. According to its source, it starts Echo in OnStart and calls Echo's Shutdown " +
		"in OnStop. “Echo in Fx” here does the same, without yokai's middleware",
}}

// installWithin bounds each step of the installation.
const installWithin = 5 * time.Minute

// benchDir finds the directory of this module.
func benchDir(ctx context.Context) (string, error) {
	return output(ctx, ".", "go", "list", "-m", "-f", "{{.Dir}}", modulePath)
}

// prepare installs and builds everything.
func prepare(ctx context.Context, dir string, cfg *config, stderr io.Writer) (*built, error) {
	ctx, cancel := context.WithTimeout(ctx, installWithin)
	defer cancel()
	work := filepath.Join(dir, "work")
	b := &built{
		dir: dir,
		place: subject.Place{
			Bin:   filepath.Join(work, "bin"),
			Peers: filepath.Join(dir, "peers", "node"),
		},
		draincheck: filepath.Join(work, "bin", "draincheck"),
		absent:     absentPeers,
	}
	if err := os.MkdirAll(b.place.Bin, 0o755); err != nil {
		return nil, err
	}
	cert, _ := testcert.New()
	var err error
	if b.place.Cert, b.place.Key, err = testcert.Write(work, cert); err != nil {
		return nil, err
	}
	progress(stderr, "building the Go servers and draincheck")
	if _, err := output(ctx, dir, "go", "build", "-o", b.place.Bin+string(filepath.Separator), "./servers/..."); err != nil {
		return nil, err
	}
	if _, err := output(ctx, filepath.Join(dir, "..", "cmd", "draincheck"), "go", "build", "-o", b.draincheck, "."); err != nil {
		return nil, err
	}
	var (
		node    string
		nodeErr error
	)
	if cfg.wantsNode() {
		node, nodeErr = b.prepareNode(ctx, stderr)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, s := range append(subject.All(), cfg.named()...) {
		if s.Runtime == subject.Node && !cfg.wantsNode() {
			continue
		}
		if s.Runtime == subject.Node && nodeErr != nil {
			b.absent = append(b.absent, results.Absent{Name: s.Name, Reason: nodeErr.Error()})
			continue
		}
		var err error
		if s.Version, err = b.version(ctx, s, node); err != nil {
			return nil, err
		}
		b.subjects = append(b.subjects, s)
	}
	b.machine = machine(ctx, node)
	b.commit, _ = output(ctx, dir, "git", "describe", "--always", "--dirty")
	return b, nil
}

// prepareNode installs the packages of the Node peers, exactly as locked, and returns the version of Node.
func (b *built) prepareNode(ctx context.Context, stderr io.Writer) (string, error) {
	version, err := output(ctx, ".", "node", "--version")
	if err != nil {
		return "", errors.New("there is no Node on this machine")
	}
	progress(stderr, "installing the Node packages")
	if _, err := output(ctx, b.place.Peers, "npm", "ci", "--no-audit", "--no-fund"); err != nil {
		return "", fmt.Errorf("npm ci failed: %w", err)
	}
	return version, nil
}

func (b *built) version(ctx context.Context, s subject.Subject, node string) (string, error) {
	switch {
	case s.Ours:
		return "this checkout", nil
	case s.Module == "" && s.Runtime == subject.Node:
		return node, nil
	case s.Module == "":
		return runtime.Version(), nil
	case s.Runtime == subject.Go:
		return output(ctx, b.dir, "go", "list", "-m", "-f", "{{.Version}}", s.Module)
	}
	data, err := os.ReadFile(filepath.Join(b.place.Peers, "package-lock.json"))
	if err != nil {
		return "", err
	}
	var lock struct {
		Packages map[string]struct{ Version string }
	}
	if err := json.Unmarshal(data, &lock); err != nil {
		return "", err
	}
	return lock.Packages["node_modules/"+s.Module].Version, nil
}

func machine(ctx context.Context, node string) results.Machine {
	m := results.Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version(), Node: node}
	m.Kernel, _ = output(ctx, ".", "uname", "-r")
	m.Kernel, _, _ = strings.Cut(m.Kernel, "-") // what follows names a build, not a kernel
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			m.CPU = strings.TrimSpace(value)
			break
		}
	}
	return m
}

// output runs a command and returns what it prints, without the last newline.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(stdout.String()), nil
}

func progress(stderr io.Writer, format string, args ...any) {
	fmt.Fprintf(stderr, "bench: "+format+"\n", args...)
}

func readNotes(name string) (map[string]string, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	notes := map[string]string{}
	if err := json.Unmarshal(data, &notes); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return notes, nil
}
