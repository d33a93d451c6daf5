package fxshutdown_test

import (
	"errors"
	"io"
	"log"
	"net/http"
)

// stalledContent is a file of size bytes of which only the first are there.
type stalledContent struct {
	size, has, at int64
	stall         func() // called when the rest is wanted
}

func (c *stalledContent) Read(p []byte) (int, error) {
	if c.at >= c.has {
		c.stall()
		return 0, errors.New("the context is cancelled")
	}
	n := int(min(int64(len(p)), c.has-c.at))
	c.at += int64(n)
	return n, nil
}

func (c *stalledContent) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
		c.at = offset
	case io.SeekCurrent:
		c.at += offset
	case io.SeekEnd:
		c.at = c.size + offset
	}
	return c.at, nil
}

// A roundTripper is a function that is an http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// quiet returns a logger for what a test provokes.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
