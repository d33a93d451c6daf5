package drain

import (
	"fmt"
	"strconv"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/process"
)

// judge fills in the verdict and its reasons.
func (r *Round) judge(cfg *Config) {
	reason := func(format string, args ...any) { r.Reasons = append(r.Reasons, fmt.Sprintf(format, args...)) }
	t := &r.Total
	if n := t.Lost - t.LostEarly; n > 0 {
		reason("%d of %s lost", n, requests(t.Sent))
	}
	if n := t.LostEarly; n > 0 {
		reason("%d of %s lost before the signal, which the stop did not cause", n, requests(t.Sent))
	}
	statuses := Statuses{}
	for _, k := range r.Kinds {
		statuses.Add(k.Statuses)
	}
	expect, _ := parseStatuses(cfg.Expect)
	after, _ := parseStatuses(cfg.ExpectAfter)
	if n, codes := newInTheStop(statuses, expect, after); n > 0 {
		r.BadStatus = n
		reason("%s answered with %s during the stop but not before it (-expect-after allows a status)", requests(n), list(codes))
	}
	if n := t.Slow; n > 0 {
		reason("%d answers took longer than %v", n, cfg.SlowLimit)
	}
	if r.Killed {
		reason("the process was still running %v after the signal, and was killed%s", cfg.Within, r.cutByKill())
	}
	if r.StillOpen {
		reason("the command ended, but its port was still served: a process that it had started went on "+
			"(start the server itself rather than through a shell, npm or `go run`, or use -group)%s", r.cutByKill())
	}
	if got := strconv.Itoa(r.ExitCode); cfg.ExitCode != "" && !r.Killed && got != cfg.ExitCode {
		reason("the command ended with %s; -exit-code wants exit code %s", process.Exit{Code: r.ExitCode, Signal: r.ExitSignal}, cfg.ExitCode)
	}
	cut := 0
	for _, k := range r.Kinds {
		if k.Ends != nil {
			cut += k.Ends.Cut()
		}
	}
	if cfg.FailOnCut && cut > 0 {
		reason("%d streams or WebSockets were cut without a goodbye", cut)
	}
	r.Verdict = Pass
	if len(r.Reasons) > 0 {
		r.Verdict = Fail
	}
}

func (r *Round) cutByKill() string {
	if r.Total.CutByKill == 0 {
		return ""
	}
	return fmt.Sprintf("; this cut %s, which count as cut and not as lost", requests(r.Total.CutByKill))
}

// list writes numbers as in a sentence: "500, 502 and 503".
func list(numbers []int) string {
	text := ""
	for i, n := range numbers {
		switch {
		case i == 0:
		case i == len(numbers)-1:
			text += " and "
		default:
			text += ", "
		}
		text += fmt.Sprint(n)
	}
	return text
}

// requests writes a number of requests.
func requests(n int) string {
	if n == 1 {
		return "1 request"
	}
	return fmt.Sprintf("%d requests", n)
}
