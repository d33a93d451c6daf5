package main

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for args, want := range map[string]string{
		"-load pool -clients 256 -busy 16": "pool of 256, 16 in use",
		"-load pool":                       "pool of 32, 4 in use",
		"-load pool -pool 64 -tls":         "pool of 64, 4 in use, TLS",
		"-clients 8":                       "new connections, 8 clients",
	} {
		o, err := parse(strings.Fields(args))
		if err != nil || o.loads[0].title != want {
			t.Errorf("parse(%s) = %+v, %v, want the load %q", args, o, err, want)
		}
	}
	for args, want := range map[string]string{
		"-load pool -busy 33": "-busy",
		"-stops 0":            "-stops",
		"-load nosuch":        "nosuch",
		"-server nosuch":      "nosuch",
		"-rtt 4":              "-rtt",
		"nosuch":              "nosuch",
	} {
		if _, err := parse(strings.Fields(args)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parse(%s) = %v, want an error with %q", args, err, want)
		}
	}
}
