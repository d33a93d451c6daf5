package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestResults(t *testing.T) {
	var rs results
	for _, r := range []*result{
		{Scenario: "no-delay", Server: fxHTTP, Family: "IPv4", Speed: 1, Refused: 1234},
		{Scenario: "manifests", Server: netHTTP, Family: "IPv4", Speed: 1},
		{Scenario: "manifests", Server: fxHTTP, Family: "IPv4", Speed: 1, Lost: 7},
		{Scenario: "manifests", Server: fxHTTP, Family: "IPv4", Speed: 1},
		{Scenario: "manifests", Server: fxHTTP, Family: "IPv4", Speed: 4},
	} {
		rs = rs.with(r)
	}
	file := filepath.Join(t.TempDir(), "results.json")
	if err := rs.write(file); err != nil {
		t.Fatal(err)
	}
	read, err := readResults(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(read.table()), "\n")[2:]
	wants := []string{"| fxhttp |", "(times divided by 4) | fxhttp |", "| net/http |", "| **1,234** |"}
	if len(lines) != len(wants) {
		t.Fatalf("%d rows, want %d: one for each scenario, server and speed\n%s", len(lines), len(wants), read.table())
	}
	for i, want := range wants {
		if !strings.Contains(lines[i], want) {
			t.Errorf("row %d is %q, want %q in it", i+1, lines[i], want)
		}
	}
	if strings.Contains(lines[0], "7") {
		t.Errorf("row 1 is %q, want the later result", lines[0])
	}
}

func TestIntoReadme(t *testing.T) {
	file := filepath.Join(t.TempDir(), "README.md")
	os.WriteFile(file, []byte("before\n"+tableBegins+"old\n"+tableEnds+"after\n"), 0o600)
	for range 2 {
		if err := intoReadme(file, "new\n"); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := os.ReadFile(file)
	if want := "before\n" + tableBegins + "\nnew\n\n" + tableEnds + "after\n"; string(got) != want {
		t.Errorf("README is %q, want %q", got, want)
	}
	os.WriteFile(file, []byte("no place"), 0o600)
	if err := intoReadme(file, "new\n"); err == nil {
		t.Error("a README without a place for the table: no error")
	}
}
