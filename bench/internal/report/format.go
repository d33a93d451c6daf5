package report

import (
	"fmt"
	"strconv"
	"time"

	"github.com/fxshutdown/fxhttp/bench/internal/results"
)

// millis writes a time as precisely as it deserves.
func millis(ms float64) string {
	switch {
	case ms < 9.95:
		return fmt.Sprintf("%.1f ms", ms)
	case ms < 999.5:
		return fmt.Sprintf("%.0f ms", ms)
	case ms < 9995:
		return fmt.Sprintf("%.1f s", ms/1000)
	}
	return fmt.Sprintf("%.0f s", ms/1000)
}

// stopTime writes the median, and what ended the stop if that was not the server.
func stopTime(c *results.Stop) string {
	switch {
	case c.Killed > c.MS.N/2:
		return "never"
	case c.AtLimit:
		return millis(c.MS.Median) + ", limit"
	}
	return millis(c.MS.Median)
}

func ratio(s results.Summary) string {
	return fmt.Sprintf("%.2f (%.2f–%.2f)", s.Median, s.Min, s.Max)
}

func millisRange(s results.Summary) string {
	return fmt.Sprintf("(%s–%s)", number(s.Min), number(s.Max))
}

// number writes milliseconds without their unit.
func number(ms float64) string {
	if ms < 9.95 {
		return strconv.FormatFloat(ms, 'f', 1, 64)
	}
	return strconv.FormatFloat(ms, 'f', 0, 64)
}

func seconds(ms int64) string { return (time.Duration(ms) * time.Millisecond).String() }

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
