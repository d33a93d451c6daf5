package main

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// environment is what the service is told by its environment.
type environment struct {
	host                                string
	delay, stopTimeout, report, startup time.Duration
	forceSignals, netHTTP               bool
}

func readEnvironment(get func(string) string) (environment, error) {
	e := environment{
		host:         get("HOST"),
		forceSignals: get("FORCE_SIGNALS") != "",
		netHTTP:      get("SERVER") == "net/http",
	}
	var errs []error
	duration := func(name, standard string) time.Duration {
		d, err := time.ParseDuration(cmp.Or(get(name), standard))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
		return d
	}
	e.delay = duration("SHUTDOWN_DELAY", "0s")
	e.stopTimeout = duration("STOP_TIMEOUT", "15s")
	e.report = duration("REPORT", "1s")
	e.startup = duration("STARTUP", "0s")
	return e, errors.Join(errs...)
}
