// Command peers runs draincheck against other people's servers, configured as their
// documentation says, and writes a table of what each stop lost, and why:
//
//	go run . [-only nginx] [-capture]
//
// It needs nginx, apache2, haproxy and gunicorn (Debian's packages), and Node with the
// packages in node/package.json. Whatever is missing is left out. With -capture, each run
// is recorded with tcpdump, and each loss is looked up in the capture with tshark.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"text/template"
)

func main() {
	only := flag.String("only", "", "run only the servers whose names begin with this text")
	capture := flag.Bool("capture", false, "record each run, and look up each loss in the capture (needs root)")
	port := flag.Int("port", 18070, "port that the servers listen on")
	rounds := flag.Int("rounds", 3, "number of stops of each server; always one with -capture")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *only, *capture, *port, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only string, capture bool, port, rounds int) error {
	work, err := os.MkdirTemp("", "peers")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	place := place{Dir: work, Port: port}
	if place.Here, err = os.Getwd(); err != nil {
		return err
	}
	if err := build(ctx, work); err != nil {
		return err
	}
	if capture {
		rounds = 1
	}
	fmt.Println("| server | signal | verdict | sent | lost | why | the process | capture |")
	fmt.Println("|---|---|---|---:|---:|---|---|---|")
	for _, s := range servers {
		if !strings.HasPrefix(s.name, only) {
			continue
		}
		if _, err := exec.LookPath(s.needs); err != nil {
			fmt.Printf("| %s | | not here | | | | | |\n", s.name)
			continue
		}
		if err := place.check(ctx, s, rounds, capture); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// build builds draincheck and the Go servers into the folder.
func build(ctx context.Context, dir string) error {
	for _, b := range []struct{ in, pkg, out string }{
		{"..", ".", "draincheck"}, {".", "./ginserver", "ginserver"}, {".", "./chiserver", "chiserver"},
	} {
		cmd := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(dir, b.out), b.pkg)
		cmd.Dir, cmd.Env = b.in, append(os.Environ(), "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", b.out, err, out)
		}
	}
	return nil
}

// A place is where servers run: the values for their command lines and files.
type place struct {
	Dir  string // for what a run writes
	Here string // this module
	Port int
}

func (p *place) fill(text string) (string, error) {
	t, err := template.New("").Parse(text)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	err = t.Execute(&b, p)
	return b.String(), err
}

// A result is the part of draincheck's JSON that is used here.
type result struct {
	Verdict string `json:"verdict"`
	Error   string `json:"error"`
	Total   struct {
		Sent int `json:"sent"`
		Lost int `json:"lost"`
	} `json:"total"`
	Causes []struct {
		Cause string `json:"cause"`
		Count int    `json:"count"`
	} `json:"causes"`
	Holds []struct {
		Kind string `json:"kind"`
		Held bool   `json:"held"`
	} `json:"holds"`
	Rounds []struct {
		ExitedMS  float64  `json:"exited_ms"`
		Killed    bool     `json:"killed"`
		Reasons   []string `json:"reasons"`
		Losses    []loss   `json:"losses"`
		NotLost   []loss   `json:"not_lost"`
		BadStatus int      `json:"bad_status"`
	} `json:"rounds"`
}

// check runs draincheck against one server and writes its row.
func (p *place) check(ctx context.Context, s server, rounds int, capture bool) error {
	for name, text := range s.files {
		filled, err := p.fill(text)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(p.Dir, name), []byte(filled), 0o644); err != nil {
			return err
		}
	}
	args := []string{"-json", "-url", fmt.Sprintf("http://127.0.0.1:%d/", p.Port), "-signal", s.signal,
		"-rounds", fmt.Sprint(rounds), "-within", "15s", "-pause", "2ms"}
	args = append(append(args, s.flags...), "--")
	for _, a := range s.command {
		filled, err := p.fill(a)
		if err != nil {
			return err
		}
		args = append(args, filled)
	}
	var rec *recording
	if capture {
		var err error
		if rec, err = record(ctx, filepath.Join(p.Dir, "run.pcap"), p.Port); err != nil {
			return err
		}
		// The rounds that look for what holds a process would be in the capture, too.
		// Half headers and HTTP/2's acknowledgements are last data that ask for nothing.
		args = append([]string{"-diagnose=false", "-halfheader", "0", "-h2c", "0"}, args...)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(p.Dir, "draincheck"), args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	var res result
	if err := json.Unmarshal(out, &res); err != nil {
		return fmt.Errorf("draincheck: %w: %s", err, out)
	}
	if res.Error != "" {
		return errors.New(res.Error)
	}
	matched := ""
	if rec != nil {
		if matched, err = rec.match(ctx, res.Rounds[0].Losses, res.Rounds[0].NotLost); err != nil {
			return err
		}
	}
	fmt.Printf("| %s | %s | %s | %d | %d | %s | %s | %s |\n", s.name, s.signal, res.Verdict, res.Total.Sent, res.Total.Lost,
		res.why(), res.process(), matched)
	return nil
}

func (r *result) why() string {
	var parts []string
	for _, c := range r.Causes {
		parts = append(parts, fmt.Sprintf("%s %d", c.Cause, c.Count))
	}
	bad := 0
	for _, round := range r.Rounds {
		bad += round.BadStatus
	}
	if bad > 0 {
		parts = append(parts, fmt.Sprintf("status %d", bad))
	}
	return strings.Join(parts, ", ")
}

// process says how long the slowest stop took, and what held it.
func (r *result) process() string {
	longest, killed := 0.0, 0
	for _, round := range r.Rounds {
		longest = max(longest, round.ExitedMS)
		if round.Killed {
			killed++
		}
	}
	if killed == 0 {
		return fmt.Sprintf("ended within %.1f s", longest/1000)
	}
	var held []string
	for _, h := range r.Holds {
		if h.Held {
			held = append(held, h.Kind)
		}
	}
	text := fmt.Sprintf("killed in %d of %d stops", killed, len(r.Rounds))
	if len(held) > 0 {
		text += ", held by: " + strings.Join(held, ", ")
	}
	return text
}
