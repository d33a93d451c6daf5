package systemdns

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed start.sh
var script string

// targets are those that units depend on by default. Everything else that a machine has
// is left out.
var targets = []string{"sysinit", "basic", "sockets", "shutdown", "multi-user", "network", "umount"}

// Manager is a running systemd.
type Manager struct {
	cmd    *exec.Cmd
	output bytes.Buffer
	ended  chan struct{} // closed when it has ended, with all that it ran
	pid    int           // of systemd
	cgroup string
}

// Check says why systemd cannot run here, and returns nil if it may.
func Check() error {
	if os.Geteuid() != 0 {
		return errors.New("to run systemd here takes root")
	}
	for _, name := range []string{"unshare", "nsenter", "systemctl"} {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("to run systemd here takes Debian's packages systemd and util-linux: %w", err)
		}
	}
	return nil
}

// Start starts systemd in dir, which has the programs that its units run in dir/bin, for
// them /run/bin. units are the texts of unit files by their names. Close ends it.
func Start(ctx context.Context, dir string, units map[string]string) (*Manager, error) {
	if err := Check(); err != nil {
		return nil, err
	}
	all := make(map[string]string)
	for _, name := range targets {
		all[name+".target"] = "[Unit]\nDefaultDependencies=no\n"
	}
	for name, text := range units {
		all[name] = text
	}
	if err := os.Mkdir(filepath.Join(dir, "units"), 0o755); err != nil {
		return nil, err
	}
	for name, text := range all {
		if err := os.WriteFile(filepath.Join(dir, "units", name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	m := &Manager{ended: make(chan struct{})}
	var err error
	if m.cgroup, err = makeCgroup(); err != nil {
		return nil, fmt.Errorf("make a cgroup: %w", err)
	}
	// The shell joins the cgroup, which is then the root of systemd's.
	m.cmd = exec.Command("/bin/sh", "-c", `echo $$ >"$1/cgroup.procs" && exec unshare `+
		`--mount --pid --cgroup --uts --ipc --fork --kill-child /bin/sh -c "$2" sh "$3"`, "sh", m.cgroup, script, dir)
	m.cmd.Stdout, m.cmd.Stderr = &m.output, &m.output
	m.cmd.WaitDelay = 5 * time.Second
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // a test that is killed calls no Close
	if err := m.cmd.Start(); err != nil {
		removeCgroup(m.cgroup)
		return nil, err
	}
	go func() {
		defer close(m.ended)
		m.cmd.Wait()
	}()
	if err := m.awaitRunning(ctx); err != nil {
		m.Close()
		return nil, fmt.Errorf("start systemd: %w\n%s", err, m.output.String())
	}
	return m, nil
}

func (m *Manager) awaitRunning(ctx context.Context) error {
	for {
		err := m.findPID()
		if err == nil {
			var state string
			if state, err = m.Ctl(ctx, "is-active", "multi-user.target"); err == nil && state == "active" {
				return nil
			}
		}
		select {
		case <-m.ended:
			return errors.New("it has ended")
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// findPID finds the child of unshare.
func (m *Manager) findPID() error {
	pid := strconv.Itoa(m.cmd.Process.Pid)
	children, err := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
	if err != nil {
		return err
	}
	m.pid, err = strconv.Atoi(strings.TrimSpace(string(children)))
	return err
}

// Ctl runs systemctl, and returns what it printed.
func (m *Manager) Ctl(ctx context.Context, args ...string) (string, error) {
	enter := []string{"-t", strconv.Itoa(m.pid), "-m", "-p", "-C", "-u", "-i", "systemctl"}
	cmd := exec.CommandContext(ctx, "nsenter", append(enter, args...)...)
	cmd.WaitDelay = time.Second // nsenter has a child
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return text, fmt.Errorf("systemctl %s: %w: %s", strings.Join(args, " "), err, text)
	}
	return text, nil
}

// Show returns a property of a unit.
func (m *Manager) Show(ctx context.Context, unit, property string) (string, error) {
	return m.Ctl(ctx, "show", "-P", property, unit)
}

// Path returns by which name this process finds a file of systemd's, such as one in /run.
func (m *Manager) Path(name string) string { return fmt.Sprintf("/proc/%d/root%s", m.pid, name) }

// Close kills everything, and returns what was printed.
func (m *Manager) Close() (output string) {
	m.cmd.Process.Kill() // --kill-child
	<-m.ended
	removeCgroup(m.cgroup)
	return m.output.String()
}

// makeCgroup makes a cgroup of version 2 below that of this process.
func makeCgroup() (string, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	path := ""
	for line := range strings.Lines(string(own)) {
		if p, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			path = p
		}
	}
	for line := range strings.Lines(string(mounts)) {
		before, after, _ := strings.Cut(line, " - ")
		if fields := strings.Fields(before); strings.HasPrefix(after, "cgroup2 ") && len(fields) > 4 {
			return os.MkdirTemp(filepath.Join(fields[4], path), "systemdns")
		}
	}
	return "", errors.New("no cgroup2 is mounted")
}

// removeCgroup removes it and those below, which have no processes any more.
func removeCgroup(dir string) {
	var all []string
	filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			all = append(all, path)
		}
		return nil
	})
	for i := len(all) - 1; i >= 0; i-- {
		for end := time.Now().Add(time.Second); os.Remove(all[i]) != nil && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond)
		}
	}
}
