// Package systemdns runs a systemd of one's own, for tests and recipes: as process 1 of
// namespaces that go with it. It needs Linux, root, and Debian's packages systemd and
// util-linux.
package systemdns
