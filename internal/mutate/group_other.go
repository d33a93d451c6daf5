//go:build !unix

package main

import "os/exec"

// endGroup does nothing: the end of cmd's context ends cmd alone.
func endGroup(*exec.Cmd) {}
