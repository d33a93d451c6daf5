package drain

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"
)

// requestBytes is an HTTP/1.1 request as it goes over the wire. It is written in one
// piece, so that a request is sent or not.
func requestBytes(method, path, host string, header http.Header, body string, extra ...string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", method, path)
	if header.Get("Host") == "" {
		fmt.Fprintf(&b, "Host: %s\r\n", host)
	}
	if header.Get("User-Agent") == "" {
		b.WriteString("User-Agent: draincheck\r\n")
	}
	for _, name := range sortedNames(header) {
		for _, v := range header[name] {
			fmt.Fprintf(&b, "%s: %s\r\n", name, v)
		}
	}
	for _, line := range extra {
		b.WriteString(line + "\r\n")
	}
	if body != "" || method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch {
		b.WriteString("Content-Length: " + strconv.Itoa(len(body)) + "\r\n")
	}
	b.WriteString("\r\n")
	b.WriteString(body)
	return b.Bytes()
}

func sortedNames(h http.Header) []string {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// An answer is a response, complete unless it came with an error.
type answer struct {
	begun    bool // one byte of it came
	garbled  bool // what came is not a response
	status   int
	closing  bool      // it said, or meant by its form, that nothing may be sent after it
	unframed bool      // its end was the connection's end, so a truncated one looks the same
	at       time.Time // when its last byte was read
}

// readAnswer reads the response to a request of the given method to its end.
func (c *conn) readAnswer(method string) (answer, error) {
	resp, a, err := c.readHead(method)
	if err != nil {
		return a, err
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		a.garbled = true
		return a, errors.New("read response: 101 Switching Protocols, which was not asked for")
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return a, fmt.Errorf("read response body: %w", plain(err))
	}
	return answer{
		begun:    true,
		status:   resp.StatusCode,
		closing:  resp.Close || !resp.ProtoAtLeast(1, 1) && !saysKeepAlive(resp.Header),
		unframed: unframed(resp),
		at:       time.Now(),
	}, nil
}

// readContinue reads a 100 Continue. If something else comes, it is left to be read.
func (c *conn) readContinue(method string) bool {
	const start = "HTTP/1.1 100"
	if b, err := c.br.Peek(len(start)); err != nil || string(b) != start {
		return false
	}
	resp, err := http.ReadResponse(c.br, &http.Request{Method: method})
	return err == nil && resp.StatusCode == http.StatusContinue
}

// readHead reads a response up to its body, past interim responses. Here net/http only
// parses: none of its code sends, retries or reconnects.
func (c *conn) readHead(method string) (*http.Response, answer, error) {
	var a answer
	for {
		if _, err := c.br.Peek(1); err != nil {
			return nil, a, fmt.Errorf("wait for response: %w", plain(err))
		}
		a.begun = true
		resp, err := http.ReadResponse(c.br, &http.Request{Method: method})
		if err != nil {
			// A header that was cut off may be malformed, too, and the parser notices
			// that first.
			if plain(err) == err {
				if _, end := c.br.Peek(1); end != nil {
					err = fmt.Errorf("%w (%w)", plain(end), err)
				} else {
					a.garbled = true
				}
			}
			return nil, a, fmt.Errorf("read response header: %w", plain(err))
		}
		a.status = resp.StatusCode
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, a, nil
		}
	}
}

func saysKeepAlive(h http.Header) bool {
	for _, v := range h.Values("Connection") {
		if bytes.EqualFold([]byte(v), []byte("keep-alive")) {
			return true
		}
	}
	return false
}

// unframed says whether resp's body ends with the connection.
func unframed(resp *http.Response) bool {
	return resp.ContentLength < 0 && !slices.Contains(resp.TransferEncoding, "chunked")
}

// plain takes the addresses out of an error of package net: so hundreds of losses have
// the same text, and are grouped together.
func plain(err error) error {
	switch {
	case errors.Is(err, errnoReset):
		return &plainError{"connection reset", err}
	case errors.Is(err, errnoPipe):
		return &plainError{"broken pipe", err}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &plainError{"unexpected EOF", err}
	case errors.Is(err, io.EOF):
		return &plainError{"EOF", err}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &plainError{"timeout", err}
	}
	return err
}

type plainError struct {
	text string
	err  error
}

func (e *plainError) Error() string { return e.text }
func (e *plainError) Unwrap() error { return e.err }
