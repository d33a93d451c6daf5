package main

import (
	"io"
	"strings"
	"testing"
)

func TestParseFlags(t *testing.T) {
	for args, want := range map[string]string{
		"-only nosuch": "nosuch",
		"-rounds 0":    "-rounds",
		"-pairs 30":    "-steady",

		"-base fxshutdown": "-steady",

		"-steady -base nosuch":    `"nosuch"`,
		"-steady -base stoppable": `"stoppable"`,

		"-steady -pairs 0":  "-pairs",
		"-steady -rounds 4": "-rounds",
		"-steady -render":   "-render",
		"one-too-many":      "one-too-many",
		"-only fxhttp,":     `unknown ""`,
	} {
		if _, err := parse(strings.Fields(args), io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parse(%s) = %v, want an error with %q", args, err, want)
		}
	}
}

func TestOnly(t *testing.T) {
	type job struct{ subject, measure, kind string }
	for _, tt := range []struct {
		only string
		job  job
		want bool
	}{
		{"", job{"manners", "stop", "idle"}, true},
		{"manners", job{"manners", "stop", "idle"}, true},
		{"manners", job{"fxhttp", "stop", "idle"}, false},
		{"stop", job{"manners", "stop", "idle"}, true},
		{"stop", job{"manners", "lost", "keepalive"}, false},
		{"keepalive", job{"manners", "lost", "keepalive"}, true},
		{"keepalive", job{"manners", "stop", "idle"}, false},
		{"manners,keepalive", job{"manners", "lost", "keepalive"}, true},
		{"manners,keepalive", job{"fxhttp", "lost", "keepalive"}, false},
		{"manners,keepalive,steady", job{"manners", "steady", "steady"}, true},
	} {
		var args []string
		if tt.only != "" {
			args = []string{"-only", tt.only}
		}
		c, err := parse(args, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.wants(tt.job.subject, tt.job.measure, tt.job.kind); got != tt.want {
			t.Errorf("-only %q: wants(%v) = %v, want %v", tt.only, tt.job, got, tt.want)
		}
		if c.partial() != (tt.only != "") {
			t.Errorf("-only %q: partial() = %v", tt.only, c.partial())
		}
	}
}

func TestSteady(t *testing.T) {
	for args, pairs := range map[string]int{
		"-steady": 21, "-steady -pairs 30": 30, "-steady -quick": 1,
	} {
		c, err := parse(append(strings.Fields(args), "-only", "fxhttp"), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if c.rounds != pairs {
			t.Errorf("%s: %d pairs, want %d", args, c.rounds, pairs)
		}
		if !c.wants("fxhttp", steadyMeasure, steadyMeasure) || c.wants("fxhttp", stopMeasure, "idle") ||
			c.wants("manners", steadyMeasure, steadyMeasure) {
			t.Errorf("%s measures more than the steady state of fxhttp, or less", args)
		}
	}
}

func TestVariants(t *testing.T) {
	for args, want := range map[string]string{
		"":                       "",
		"-steady":                "",
		"-only fxshutdown":       "",
		"-only fxshutdown-age1s": "fxshutdown-age1s",
		"-steady -base fxshutdown-age1s -only fxshutdown-age10s": "fxshutdown-age10s fxshutdown-age1s",
	} {
		c, err := parse(strings.Fields(args), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, s := range c.named() {
			ids = append(ids, s.ID)
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s: variants %q, want %q", args, got, want)
		}
	}
}

func TestWantsNode(t *testing.T) {
	for only, want := range map[string]bool{"": true, "fxhttp,nethttp": false, "stoppable": true, "steady": true} {
		c := &config{}
		if only != "" {
			c.only = strings.Split(only, ",")
		}
		if got := c.wantsNode(); got != want {
			t.Errorf("-only %q: wantsNode() = %v, want %v", only, got, want)
		}
	}
}
