// Package systemdns runs a systemd of its own for tests and recipes, as process 1 of
// namespaces that end with it. It needs Linux, root, and Debian's packages systemd and
// util-linux.
package systemdns
