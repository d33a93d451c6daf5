package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/drain"
)

// A progressLine is a line on a terminal that is written over and over. On anything else
// it is nothing.
type progressLine struct {
	w io.Writer // nil if there is no terminal

	mu    sync.Mutex // guards shown
	shown bool
}

func newProgressLine(w io.Writer, wanted bool) *progressLine {
	f, ok := w.(*os.File)
	if !ok || !wanted {
		return &progressLine{}
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 || os.Getenv("TERM") == "dumb" {
		return &progressLine{}
	}
	return &progressLine{w: f}
}

func (l *progressLine) show(p drain.Progress) {
	if l.w == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shown = true
	round := ""
	if p.Rounds > 1 {
		round = fmt.Sprintf("round %d of %d, ", p.Round, p.Rounds)
	}
	fmt.Fprintf(l.w, "\r\x1b[K%s%s %.1fs: %d answered, %d lost, %d refused", round, p.Phase,
		p.Since.Truncate(100*time.Millisecond).Seconds(), p.Total.Answered, p.Total.Lost, p.Total.RefusedDials+p.Total.RefusedStreams)
}

// clear makes room for what is printed next.
func (l *progressLine) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shown {
		fmt.Fprint(l.w, "\r\x1b[K")
		l.shown = false
	}
}
