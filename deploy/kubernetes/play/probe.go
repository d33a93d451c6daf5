package main

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/fxshutdown/fxhttp/deploy/kubernetes"
)

// prober asks one probe of a container, as the kubelet does: a connection of its own each
// time, and a verdict that changes after a number of answers that agree.
type prober struct {
	url                 string
	client              *http.Client
	delay, period       time.Duration
	successes, failures int32 // thresholds
	good, bad           int32 // answers in a row
}

// The defaults of the API server.
const (
	defaultPeriod   = 10 // seconds
	defaultTimeout  = 1
	defaultFailures = 3
)

// newProber reads the numbers of p, which asks the container c at addr. Its period is
// divided by speed; its timeout is not, since it depends on the machine.
func newProber(p *corev1.Probe, c *corev1.Container, addr string, speed float64) *prober {
	port, _ := kubernetes.Port(c, p.HTTPGet.Port)
	seconds := func(n int32) time.Duration { return scale(time.Duration(n)*time.Second, speed) }
	return &prober{
		url: "http://" + net.JoinHostPort(addr, strconv.Itoa(int(port))) + p.HTTPGet.Path,
		client: &http.Client{
			Transport:     &http.Transport{DisableKeepAlives: true},
			Timeout:       time.Duration(cmp.Or(p.TimeoutSeconds, defaultTimeout)) * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		delay:     seconds(p.InitialDelaySeconds),
		period:    seconds(cmp.Or(p.PeriodSeconds, defaultPeriod)),
		successes: cmp.Or(p.SuccessThreshold, 1),
		failures:  cmp.Or(p.FailureThreshold, defaultFailures),
	}
}

// run asks until ctx ends, and tells each verdict, not only those that change.
func (p *prober) run(ctx context.Context, verdict func(good bool)) {
	sleep(ctx, p.delay)
	tick := time.NewTicker(p.period)
	defer tick.Stop()
	for ctx.Err() == nil {
		if p.ask(ctx) {
			p.good, p.bad = p.good+1, 0
		} else {
			p.good, p.bad = 0, p.bad+1
		}
		switch {
		case ctx.Err() != nil: // it was not the container that failed
		case p.good >= p.successes:
			verdict(true)
		case p.bad >= p.failures:
			verdict(false)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func (p *prober) ask(ctx context.Context) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return false
	}
	resp, err := p.client.Do(r)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode >= 200 && resp.StatusCode < 400
}

func scale(d time.Duration, speed float64) time.Duration {
	return time.Duration(float64(d) / speed)
}
