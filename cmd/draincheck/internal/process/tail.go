package process

import (
	"io"
	"sync"
)

// tailSize is how much of the command's output is kept: enough for a stack trace, too
// little to hurt.
const tailSize = 64 << 10

// A tail keeps the end of what is written to it.
type tail struct {
	passthrough io.Writer // nil, or where everything is copied

	mu  sync.Mutex // guards buf and cut
	buf []byte
	cut bool // something was dropped
}

// Write never fails: a terminal that went away must not end the copying, or the command
// would block on its pipe.
func (t *tail) Write(b []byte) (int, error) {
	if t.passthrough != nil {
		_, _ = t.passthrough.Write(b)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if over := len(t.buf) - tailSize; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
		t.cut = true
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cut {
		return "[…]" + string(t.buf)
	}
	return string(t.buf)
}
