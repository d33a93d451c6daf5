// Command bench compares this repository with other ways to serve HTTP and stop, side by side on one machine, and
// writes the results as JSON, as a Markdown table and as plots. From the root of the repository:
//
//	go run ./bench
//
// It needs Go, and Node for the Node servers. See README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/fxshutdown/fxhttp/bench/internal/load"
	"github.com/fxshutdown/fxhttp/bench/internal/report"
	"github.com/fxshutdown/fxhttp/bench/internal/results"
)

func main() {
	load.ExecIfAsked()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "bench: interrupted, nothing was written")
		os.Exit(130)
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	cfg, err := parse(args, stderr)
	if err != nil {
		return err
	}
	dir, err := benchDir(ctx)
	if err != nil {
		return err
	}
	out := cfg.out
	switch {
	case out == "" && cfg.partial():
		// What is published is a whole run.
		out = filepath.Join(dir, "work", "results")
	case out == "":
		out = filepath.Join(dir, "results")
	}
	if cfg.render {
		r, err := results.Read(filepath.Join(out, "results.json"))
		if err != nil {
			return err
		}
		return publish(r, dir, out, stderr)
	}

	b, err := prepare(ctx, dir, cfg, stderr)
	if err != nil {
		return err
	}
	s := newSession(b, cfg, stderr)
	defer s.close()
	if err := s.run(ctx); err != nil {
		return err
	}
	if cfg.steady {
		s.results.Sum()
		_, err := io.WriteString(stdout, report.Steady(s.results))
		return err
	}
	return publish(s.results, dir, out, stderr)
}

// publish sums the results up, adds the notes, and writes all files.
func publish(r *results.Results, dir, out string, stderr io.Writer) error {
	notes, err := readNotes(filepath.Join(dir, "notes.json"))
	if err != nil {
		return err
	}
	r.Sum()
	for _, cell := range r.Annotate(notes) {
		fmt.Fprintf(stderr, "bench: fxhttp or fxshutdown is not first in %s, and notes.json does not say why\n", cell)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	if err := r.Write(filepath.Join(out, "results.json")); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"table.md": report.Table(r),
		"lost.svg": report.LostPlot(r),
		"stop.svg": report.StopPlot(r),
	} {
		if err := os.WriteFile(filepath.Join(out, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	fmt.Fprintf(stderr, "bench: wrote %s\n", out)
	return nil
}
