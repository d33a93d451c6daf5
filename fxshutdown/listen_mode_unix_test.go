//go:build unix

package fxshutdown

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// modeOf returns the permissions of a socket's file.
func modeOf(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		t.Errorf("%s is %v, %v, want a socket", path, info, err)
		return 0
	}
	return info.Mode().Perm()
}

// The file has the mode that was asked for, whatever the umask is.
func TestSocketMode(t *testing.T) {
	for _, umask := range []int{0, 0o022, 0o077, 0o777} {
		for _, mode := range []fs.FileMode{0o600, 0o660, 0o666, 0o777, 0o620} {
			t.Run(fmt.Sprintf("%#o/%#o", umask, mode), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "s")
				defer syscall.Umask(syscall.Umask(umask))
				ln, err := listen(t.Context(), Config{Network: "unix", SocketMode: mode}, path)
				if err != nil {
					t.Fatal(err)
				}
				defer ln.Close()
				if got := modeOf(t, path); got != mode {
					t.Errorf("the file's mode is %#o, want %#o", got, mode)
				}
				if got := ln.Addr().String(); got != path {
					t.Errorf("Addr() = %s, want %s", got, path)
				}
				c, err := net.Dial("unix", path)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				ln.Close()
				c.SetDeadline(time.Now().Add(5 * time.Second))
				if _, err := c.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error("the socket is open after Close")
				}
				if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the file after Close: %v, want it gone", err)
				}
			})
		}
	}
}

// Whoever can connect finds the mode in force.
func TestSocketModeBeforeClients(t *testing.T) {
	dir := t.TempDir()
	for round := range 300 {
		path := filepath.Join(dir, fmt.Sprint(round))
		began, mode := make(chan struct{}), make(chan fs.FileMode)
		go func() {
			close(began)
			for {
				if c, err := net.Dial("unix", path); err == nil {
					mode <- modeOf(t, path)
					c.Close()
					return
				}
			}
		}()
		<-began
		ln, err := listen(t.Context(), Config{Network: "unix", SocketMode: 0o640}, path)
		if err != nil {
			t.Fatal(err)
		}
		if got := <-mode; got != 0o640 {
			t.Errorf("connected while the mode was %#o", got)
		}
		ln.Close()
	}
}

// The user's Control sees the socket before it is bound, and can refuse it.
func TestSocketModeControl(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	odd := errors.New("an odd error")
	var refuse error
	var saw []string
	lc := &net.ListenConfig{Control: func(network, address string, rc syscall.RawConn) error {
		_, err := os.Lstat(address)
		bound := err == nil
		kind := 0
		rc.Control(func(fd uintptr) { kind, _ = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_TYPE) })
		saw = append(saw, fmt.Sprint(network, " ", address, " ", bound, " ", kind == syscall.SOCK_STREAM))
		return refuse
	}}
	cfg := Config{Network: "unix", SocketMode: 0o660, ListenConfig: lc}
	ln, err := listen(t.Context(), cfg, path)
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if want := "unix " + path + " false true"; len(saw) != 1 || saw[0] != want {
		t.Errorf("Control saw %q, want %q once", saw, want)
	}
	refuse = odd
	if _, err := listen(t.Context(), cfg, path); !errors.Is(err, odd) {
		t.Errorf("listen() = %v, want the error of Control", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file: %v, want none", err)
	}
}

// A symbolic link that leads out of the directory is not followed.
func TestChmodIn(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(t.TempDir(), "target")
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, filepath.Join(dir, "s")); err != nil {
		t.Fatal(err)
	}
	if err := chmodIn(dir, "s", 0o666); err == nil {
		t.Error("chmodIn() = nil for a link that leads elsewhere")
	}
	if info, err := os.Stat(target); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its target: %v, %v, want it unchanged", info.Mode(), err)
	}
}

// An error names the address, and nothing is left behind.
func TestSocketModeFails(t *testing.T) {
	dir := t.TempDir()
	busy := filepath.Join(dir, "busy")
	other, err := net.Listen("unix", busy)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for _, tt := range []struct{ addr, want string }{
		{busy, "address already in use"},
		{filepath.Join(dir, "none", "s"), "no such file"},
		{filepath.Join(dir, strings.Repeat("x", 200)), "invalid argument"},
		{"@abstract", "SocketMode 0660: an abstract address has no file"},
		{"\x00abstract", "SocketMode 0660: an abstract address has no file"},
	} {
		_, err := listen(t.Context(), Config{Network: "unix", SocketMode: 0o660}, tt.addr)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), fmt.Sprintf("%q", tt.addr)) {
			t.Errorf("listen(%q) = %v, want %q", tt.addr, err, tt.want)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("the directory has %v, want only the busy socket", entries)
	}
}
