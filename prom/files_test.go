package fxhttpprom_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The README lists every metric, and no file names one that there is not.
func TestFiles(t *testing.T) {
	names := describedNames(t)
	read := func(file string) string {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, file := range []string{"README.md", "dashboard.json", "alerts.yml", "alerts_test.yml", "descs.go"} {
		for _, name := range regexp.MustCompile(`\bfxhttp_\w+`).FindAllString(read(file), -1) {
			if name != "fxhttp_" && !slices.Contains(names, name) {
				t.Errorf("%s names %s, which is no metric", file, name)
			}
		}
	}
	readme, dashboard := read("README.md"), read("dashboard.json")
	for _, name := range names {
		if !strings.Contains(readme, "`"+name+"`") {
			t.Errorf("README.md does not list `%s`", name)
		}
		if !regexp.MustCompile(`\b`+name+`\b`).MatchString(dashboard) && name != "fxhttp_stop_start_timestamp_seconds" {
			t.Errorf("dashboard.json does not show %s", name)
		}
	}
	for _, rule := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(read("alerts.yml"), -1) {
		if !strings.Contains(readme, "`"+rule[1]+"`") || !strings.Contains(read("alerts_test.yml"), "alertname: "+rule[1]) {
			t.Errorf("README.md does not list the alert %s, or alerts_test.yml does not test it", rule[1])
		}
	}
	// TestLastScrapeTimes tests that they fit.
	for _, setting := range []string{"WithStopReserve(20*time.Second)", "WithShutdownDelay(16 * time.Second)", "StopTimeout(45*time.Second)"} {
		if !strings.Contains(readme, setting) || !strings.Contains(read("lastscrape_test.go"), setting) {
			t.Errorf("README.md and lastscrape_test.go do not have the same %s", setting)
		}
	}
}
