//go:build !amd64 && !386

package link

import "syscall"

const sysSetns = syscall.SYS_SETNS
