package fxhttptableflip

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/cloudflare/tableflip"
)

// TestIsUnnoticed has tableflip say its errors: a version with other texts is noticed.
func TestIsUnnoticed(t *testing.T) {
	for err, want := range map[error]bool{
		nil:                                    false,
		errors.New("terminating"):              false,
		errors.New("parent hasn't exited"):     true,
		errors.New("process is not ready yet"): true,
	} {
		if got := isUnnoticed(err); got != want {
			t.Errorf("isUnnoticed(%v) = %v", err, got)
		}
	}
	if os.Getenv("ASK_TABLEFLIP") != "" {
		u, err := tableflip.New(tableflip.Options{})
		if err != nil {
			t.Skip(err)
		}
		err = u.Upgrade()
		u.Stop()
		if !isUnnoticed(err) {
			t.Errorf("tableflip says %q of a process that is not ready", err)
		}
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestIsUnnoticed$", "-test.v")
	cmd.Env = append(os.Environ(), "ASK_TABLEFLIP=1")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}
