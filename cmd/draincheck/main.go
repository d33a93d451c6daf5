package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/drain"
)

// Exit codes.
const (
	exitPass        = 0
	exitFail        = 1   // something was lost, or the command did not end in time
	exitError       = 2   // wrong usage, or the check could not be carried out
	exitInterrupted = 130 // Ctrl-C, as shells have it
)

func main() {
	// SIGTERM and SIGHUP as well: whatever ends this program should end the command under
	// test first.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	inv, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		usage(stdout)
		return exitPass
	case err != nil:
		if inv.json {
			_ = writeJSON(stdout, drain.Failed(inv.cfg, err))
		}
		fmt.Fprintf(stderr, "%v\n\ndraincheck -h shows all flags.\n", prefixed(err))
		return exitError
	}
	if inv.verbose {
		inv.cfg.Passthrough = stderr
	}
	line := newProgressLine(stderr, !inv.verbose)
	inv.cfg.Progress = line.show
	res, err := drain.Run(ctx, inv.cfg)
	line.clear()

	// Results are written even of a check that could not be finished: a machine that
	// waits for a file wants one.
	if werr := report(res, inv, stdout, stderr); werr != nil {
		fmt.Fprintln(stderr, prefixed(werr))
		return exitError
	}
	switch {
	case ctx.Err() != nil && err != nil:
		fmt.Fprintln(stderr, "draincheck: interrupted; the command was killed")
		return exitInterrupted
	case err != nil:
		fmt.Fprintln(stderr, prefixed(err))
		return exitError
	case res.Verdict != drain.Pass:
		return exitFail
	}
	return exitPass
}

func report(res *drain.Result, inv *invocation, stdout, stderr io.Writer) error {
	if inv.junit != "" {
		if err := writeJUnit(inv.junit, res); err != nil {
			return err
		}
	}
	if inv.report != "" {
		if err := writeReport(inv.report, res); err != nil {
			return err
		}
	}
	if inv.json {
		return writeJSON(stdout, res)
	}
	if len(res.Rounds) > 0 {
		writeTable(stdout, res, inv.quiet)
	}
	return nil
}

func writeJSON(w io.Writer, res *drain.Result) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	if err := enc.Encode(res); err != nil {
		return fmt.Errorf("write the JSON result: %w", err)
	}
	return nil
}

// prefixed puts the program's name before each of several joined errors.
func prefixed(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var errs []error
		for _, e := range joined.Unwrap() {
			errs = append(errs, prefixed(e))
		}
		return errors.Join(errs...)
	}
	return fmt.Errorf("draincheck: %w", err)
}
