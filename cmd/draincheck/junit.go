package main

import (
	"encoding/xml"
	"fmt"
	"os"
	"strings"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/drain"
)

// The part of JUnit's XML that all readers of it know.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitMessage `xml:"failure"`
		Error   *junitMessage `xml:"error"`
		Out     string        `xml:"system-out,omitempty"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit writes a test case for each round, and one more for a check that could not
// be carried out.
func writeJUnit(name string, res *drain.Result) error {
	suite := junitSuite{Name: "draincheck"}
	var total float64
	for _, r := range res.Rounds {
		seconds := float64(r.Exited) / 1000
		total += seconds
		c := junitCase{Class: "draincheck", Name: fmt.Sprintf("round %d", r.Round), Time: fmt.Sprintf("%.3f", seconds), Out: r.Output}
		if r.Verdict != drain.Pass {
			suite.Failures++
			var lines []string
			for _, l := range r.Losses {
				lines = append(lines, fmt.Sprintf("%s, %s, written %s: %s", l.Kind, l.Cause, relative(l.Written), l.Error))
			}
			c.Failure = &junitMessage{Message: strings.Join(r.Reasons, "; "), Text: strings.Join(lines, "\n")}
		}
		suite.Cases = append(suite.Cases, c)
	}
	if res.Error != "" {
		suite.Errors++
		first, _, _ := strings.Cut(res.Error, "\n")
		suite.Cases = append(suite.Cases, junitCase{Class: "draincheck", Name: "check", Time: "0",
			Error: &junitMessage{Message: first, Text: res.Error}})
	}
	suite.Tests = len(suite.Cases)
	suite.Time = fmt.Sprintf("%.3f", total)
	b, err := xml.MarshalIndent(junitSuites{Suites: []junitSuite{suite}}, "", "  ")
	if err != nil {
		return fmt.Errorf("-junit: %w", err)
	}
	if err := os.WriteFile(name, append([]byte(xml.Header), append(b, '\n')...), 0o644); err != nil {
		return fmt.Errorf("-junit: %w", err)
	}
	return nil
}
