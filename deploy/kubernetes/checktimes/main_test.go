package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func check(args ...string) (code int, out, errs string) {
	var stdout, stderr strings.Builder
	code = run(args, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestRun(t *testing.T) {
	const shipped = "../manifests"
	for _, test := range []struct {
		name string
		args []string
		code int
		want string // on either output
	}{
		{"Fits", []string{shipped}, 0, "the times add up"},
		{"Sum", []string{shipped}, 0, "| `terminationGracePeriodSeconds`"},
		{"FlagBeforeEnvironment", []string{"-delay", "1s", shipped}, 1, "ShutdownDelay 1s is too short"},
		{"Longest", []string{"-longest", "30s", shipped}, 1, "fx.StopTimeout 18s is too short"},
		{"LoadBalancer", []string{"-endpoints", "15s", shipped}, 1, "want 15s or more"},
		{"Nothing", nil, 2, "DIRECTORY"},
		{"NoDirectory", []string{filepath.Join(shipped, "none")}, 1, "none"},
		{"NoContainer", []string{"-container", "sidecar", shipped}, 1, `no container "sidecar"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, out, errs := check(test.args...)
			if code != test.code || !strings.Contains(out+errs, test.want) {
				t.Errorf("exit code %d, want %d, and %q in:\n%s%s", code, test.code, test.want, out, errs)
			}
		})
	}
}

// TestEnvironment reads what is wrong in the manifest.
func TestEnvironment(t *testing.T) {
	text, err := os.ReadFile("../manifests/deployment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, old, new, want string }{
		{"NoDuration", "value: 5s", `value: "5"`, `SHUTDOWN_DELAY: time: missing unit in duration "5"`},
		{"Elsewhere", "value: 18s", "valueFrom: {fieldRef: {fieldPath: metadata.name}}", "give -stop-timeout"},
		{"TooShort", "value: 18s", "value: 12s", "fx.StopTimeout 12s is too short"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			changed := strings.Replace(string(text), test.old, test.new, 1)
			if err := os.WriteFile(filepath.Join(dir, "deployment.yaml"), []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			if code, out, errs := check(dir); code != 1 || !strings.Contains(errs, test.want) {
				t.Errorf("exit code %d, want 1, and %q in:\n%s%s", code, test.want, out, errs)
			}
		})
	}
}
