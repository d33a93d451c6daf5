package process

import (
	"os"
	"strings"
	"testing"
)

func TestTailKeepsTheEnd(t *testing.T) {
	var pass strings.Builder
	tl := &tail{passthrough: &pass}
	line := strings.Repeat("x", 99) + "\n"
	for range 1000 {
		tl.Write([]byte(line))
	}
	tl.Write([]byte("the end"))
	got := tl.String()
	if len(got) > tailSize+len("[…]") || !strings.HasPrefix(got, "[…]") || !strings.HasSuffix(got, "the end") {
		t.Errorf("the tail is %d bytes, from %.10q, want the last %d", len(got), got, tailSize)
	}
	if pass.Len() != 1000*len(line)+len("the end") {
		t.Errorf("%d bytes passed through, want all", pass.Len())
	}
}

func TestParseSignal(t *testing.T) {
	for _, name := range []string{"TERM", "SIGTERM", "term", "sigterm", "INT", "KILL"} {
		if sig, err := ParseSignal(name); err != nil || sig == nil {
			t.Errorf("ParseSignal(%q) = %v, %v, want a signal", name, sig, err)
		}
	}
	if _, err := ParseSignal("STOP IT"); err == nil || !strings.Contains(err.Error(), "STOP IT") {
		t.Errorf("ParseSignal() = %v, want an error with the name", err)
	}
}

func TestStartReportsWhatItCouldNotStart(t *testing.T) {
	if _, err := Start([]string{"./no-such-command"}, nil, nil); err == nil || !strings.Contains(err.Error(), "no-such-command") {
		t.Errorf("Start() = %v, want an error with the name", err)
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("a-server", nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Start([]string{"a-server"}, nil, nil); err == nil || !strings.Contains(err.Error(), "./a-server") {
		t.Errorf("Start() = %v, want it to name ./a-server", err)
	}
	if _, err := Start(nil, nil, nil); err == nil {
		t.Error("Start() = nil without a command")
	}
}
