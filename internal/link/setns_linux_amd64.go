package link

// The number is missing from package syscall on this architecture.
const sysSetns = 308
