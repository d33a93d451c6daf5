package fxshutdown

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Whatever clients send, reports, logs and errors stay short and cannot be forged.
const (
	// maxText is how many bytes are kept of a method, a path or an address, including the
	// mark of one that was cut.
	maxText = 256
	cutMark = "…"

	// maxListed is how many requests a list keeps: the oldest.
	maxListed = 100

	// maxNamed is how many requests a line of the log or an error names.
	maxNamed = 10
)

// shown returns a text that a client chose as the inside of a quoted Go string: quotes,
// backslashes and whatever is not printable (control characters, those that change the
// direction of text, bytes that are not UTF-8) are escaped. A text that is longer than
// maxText is cut and marked. One that already is the inside of a quoted string is
// unchanged.
func shown(s string) string {
	if len(s) <= maxText && isShown(s) {
		return s
	}
	b := make([]byte, 0, maxText)
	fits := 0 // how much of b leaves room for the mark
	for len(s) > 0 {
		_, n := utf8.DecodeRuneInString(s)
		quoted := strconv.Quote(s[:n])
		b = append(b, quoted[1:len(quoted)-1]...)
		if len(b) > maxText {
			return string(b[:fits]) + cutMark
		}
		if len(b) <= maxText-len(cutMark) {
			fits = len(b)
		}
		s = s[n:]
	}
	return string(b)
}

// isShown reports whether s is printable and the inside of a quoted string.
func isShown(s string) bool {
	plain := true
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			plain = false
		case !strconv.IsPrint(r), r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			return false
		}
	}
	if plain {
		return true
	}
	_, err := strconv.Unquote(`"` + s + `"`)
	return err == nil
}

// kept returns shown(s) in memory of its own: a short path must not keep a long header
// alive.
func kept(s string) string { return strings.Clone(shown(s)) }

// isToken reports whether s is a token (RFC 9110, section 5.6.2), which needs no quotes
// among other words.
func isToken(s string) bool {
	for _, r := range s {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9',
			strings.ContainsRune("!#$%&'*+-.^_`|~", r):
		default:
			return false
		}
	}
	return s != ""
}

// keepOldest adds r to a list of at most maxListed requests that has the oldest first.
func keepOldest(rs []Request, r Request) []Request {
	i, _ := slices.BinarySearchFunc(rs, r.Age, func(e Request, age moment) int {
		return cmp.Or(cmp.Compare(age, e.Age), -1) // behind those of the same age
	})
	if i >= maxListed {
		return rs
	}
	return slices.Insert(rs[:min(len(rs), maxListed-1)], i, r)
}
