//go:build unix

package process

import (
	"runtime"
	"syscall"
	"testing"
)

func TestSignals(t *testing.T) {
	for _, tt := range []struct {
		text string
		want syscall.Signal
		name string
	}{
		{"WINCH", syscall.SIGWINCH, "SIGWINCH"},
		{"sigquit", syscall.SIGQUIT, "SIGQUIT"},
		{"15", syscall.SIGTERM, "SIGTERM"},
		{"28", syscall.Signal(28), SignalName(syscall.Signal(28))},
	} {
		got, err := ParseSignal(tt.text)
		if err != nil || got != tt.want || SignalName(got) != tt.name {
			t.Errorf("ParseSignal(%q) = %v, %v, called %s, want %v, called %s", tt.text, got, err, SignalName(got), tt.want, tt.name)
		}
	}
	for _, bad := range []string{"", "0", "65", "-1", "RTMIN3", "RTMIN-1", "RTMAX+1", "RTMIN+99", "RTMIN+", "TERMINATE"} {
		if sig, err := ParseSignal(bad); err == nil {
			t.Errorf("ParseSignal(%q) = %v, want an error", bad, sig)
		}
	}
	if runtime.GOOS != "linux" {
		return
	}
	for text, want := range map[string]syscall.Signal{"RTMIN": 34, "SIGRTMIN+3": 37, "RTMAX": 64, "RTMAX-1": 63} {
		if got, err := ParseSignal(text); err != nil || got != want {
			t.Errorf("ParseSignal(%q) = %v, %v, want %d", text, got, err, want)
		}
	}
	if got := SignalName(syscall.Signal(37)); got != "SIGRTMIN+3" {
		t.Errorf("SignalName(37) = %s", got)
	}
}
