package fxhttpadmin

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fxshutdown/fxhttp"
)

// Live returns a handler for liveness probes. Its status is always 200: killing a process
// that drains, or whose database is gone, does not help. With ?verbose, the response has
// the wording of Kubernetes.
func Live() http.Handler {
	return safely(func(w http.ResponseWriter, r *http.Request) {
		text := "ok\n"
		if r.URL.Query().Has("verbose") {
			text = "[+]ping ok\nlivez check passed\n"
		}
		writeText(w, http.StatusOK, []byte(text))
	})
}

// ReadyConfig says what [Ready] checks.
type ReadyConfig struct {
	// Servers are listed first. Each is a check named "server/" and the server's name.
	Servers []fxhttp.NamedServer

	// Checks are listed next, by name.
	Checks []Check

	// CheckTimeout bounds each Check. All checks run at the same time. Zero means
	// DefaultCheckTimeout; a negative value is an error.
	CheckTimeout time.Duration

	// Log is called when a Check begins to fail and, with a nil error, when it passes
	// again. The goroutine of a request calls it. Default: nil, nothing is logged.
	Log func(check string, err error)
}

// Ready returns a handler for readiness probes. Its status is 200 if everything in cfg is
// ready; otherwise it is 503, and the response lists the checks. Mount it on /readyz, and
// on /readyz/{name...} for single checks.
//
// It understands the parameters of the Kubernetes API server
// (kubernetes.io/docs/reference/using-api/health-checks): ?verbose lists the checks, and
// ?exclude=NAME, which may be repeated, leaves some out. As in Kubernetes, the response
// does not say why a check has failed. Unlike in Kubernetes, the status of a failure is
// 503, and the response counts excluded names that do not exist instead of repeating them.
//
// Ready returns an error for names that are missing, invalid or used twice, and for a nil
// Func.
func Ready(cfg ReadyConfig) (http.Handler, error) {
	if err := checkServers(cfg.Servers); err != nil {
		return nil, err
	}
	switch {
	case cfg.CheckTimeout < 0:
		return nil, fmt.Errorf("fxhttpadmin: CheckTimeout %v is negative", cfg.CheckTimeout)
	case cfg.CheckTimeout == 0:
		cfg.CheckTimeout = DefaultCheckTimeout
	}
	var conditions []condition
	for _, s := range sorted(cfg.Servers) {
		conditions = append(conditions, condition{serverPrefix + nameOf(s), func() error { return serverReady(s) }})
	}
	checks := slices.Clone(cfg.Checks)
	slices.SortFunc(checks, func(a, b Check) int { return strings.Compare(a.Name, b.Name) })
	for i, c := range checks {
		switch err := checkName(c.Name); {
		case err != nil:
			return nil, fmt.Errorf("fxhttpadmin: the name of the check %q: %w", c.Name, err)
		case c.Func == nil:
			return nil, fmt.Errorf("fxhttpadmin: the check %q has no Func", c.Name)
		case i > 0 && checks[i-1].Name == c.Name:
			return nil, fmt.Errorf("fxhttpadmin: two checks are called %q", c.Name)
		}
		conditions = append(conditions, condition{c.Name, (&checker{check: c, timeout: cfg.CheckTimeout, log: cfg.Log}).result})
	}
	return safely(func(w http.ResponseWriter, r *http.Request) {
		if name := r.PathValue("name"); name != "" {
			serveOne(w, conditions, name)
			return
		}
		serveAll(w, r, conditions)
	}), nil
}

// condition is one of the conditions that readiness depends on.
type condition struct {
	name   string
	failed func() error
}

var errNotReady = errors.New("not ready")

func serverReady(s fxhttp.NamedServer) error {
	if !s.Server.IsReady() {
		return errNotReady
	}
	return nil
}

func serveOne(w http.ResponseWriter, conditions []condition, name string) {
	i := slices.IndexFunc(conditions, func(c condition) bool { return c.name == name })
	switch {
	case i < 0:
		http.Error(w, "no such check", http.StatusNotFound)
	case conditions[i].failed() != nil:
		writeText(w, http.StatusServiceUnavailable, []byte("failed: reason withheld\n"))
	default:
		writeText(w, http.StatusOK, []byte("ok\n"))
	}
}

func serveAll(w http.ResponseWriter, r *http.Request, conditions []condition) {
	query := r.URL.Query()
	excluded := make(map[string]bool)
	for _, name := range query["exclude"] {
		excluded[name] = true
	}
	errs := make([]error, len(conditions))
	var asked sync.WaitGroup
	for i, c := range conditions {
		if !excluded[c.name] {
			asked.Go(func() { errs[i] = c.failed() })
		}
	}
	asked.Wait()

	var list bytes.Buffer
	status, verdict := http.StatusOK, "passed"
	for i, c := range conditions {
		switch {
		case excluded[c.name]:
			delete(excluded, c.name)
			fmt.Fprintf(&list, "[+]%s excluded: ok\n", c.name)
		case errs[i] != nil:
			status, verdict = http.StatusServiceUnavailable, "failed"
			fmt.Fprintf(&list, "[-]%s failed: reason withheld\n", c.name)
		default:
			fmt.Fprintf(&list, "[+]%s ok\n", c.name)
		}
	}
	if len(excluded) > 0 {
		fmt.Fprintf(&list, "warn: some health checks cannot be excluded: no matches for %d names\n", len(excluded))
	}
	fmt.Fprintf(&list, "readyz check %s\n", verdict)
	if status == http.StatusOK && !query.Has("verbose") {
		writeText(w, status, []byte("ok\n"))
		return
	}
	writeText(w, status, list.Bytes())
}
