package drain

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// A StatusCount counts the answers with one status.
type StatusCount struct {
	Before int `json:"before"` // answered before the signal
	During int `json:"during"` // answered after it
}

// Statuses count answers by status code.
type Statuses map[int]StatusCount

// Add adds the counts of o to those of s.
func (s Statuses) Add(o Statuses) {
	for code, n := range o {
		have := s[code]
		have.Before += n.Before
		have.During += n.During
		s[code] = have
	}
}

// Classes writes s by classes, such as "2xx 9786, 5xx 45", and a single class without
// its number.
func (s Statuses) Classes() string {
	classes := map[int]int{}
	for code, n := range s {
		classes[code/100] += n.Before + n.During
	}
	var parts []string
	for _, class := range slices.Sorted(maps.Keys(classes)) {
		part := strconv.Itoa(class) + "xx"
		if len(classes) > 1 {
			part += " " + strconv.Itoa(classes[class])
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// A statusSet holds status codes and classes: "2xx,304".
type statusSet map[string]bool

// parseStatuses reads codes and classes with commas between them. No status at all is
// allowed.
func parseStatuses(text string) (statusSet, error) {
	set := statusSet{}
	for part := range strings.SplitSeq(text, ",") {
		part = strings.ToLower(strings.TrimSpace(part))
		if part == "" {
			continue
		}
		n, err := strconv.Atoi(strings.Replace(part, "xx", "00", 1))
		if err != nil || len(part) != 3 || n < 100 || n > 999 {
			return nil, fmt.Errorf("%q: want statuses or classes, such as 404 or 2xx, with commas between them", part)
		}
		set[part] = true
	}
	return set, nil
}

func (s statusSet) has(code int) bool {
	return s[strconv.Itoa(code)] || s[strconv.Itoa(code/100)+"xx"]
}

// misdirected is an error if most answers before the signal have a status that -expect
// does not name. Such a run says nothing about the server: draincheck asked for the wrong
// thing.
func misdirected(rec *recorder) error {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	c := &rec.counts
	answered, unexpected := c.AnsweredBefore, c.UnexpectedBefore
	when := " before the signal"
	if answered == 0 {
		answered, unexpected, when = c.Answered, c.Unexpected, ""
	}
	if 2*unexpected <= answered {
		return nil
	}
	code, most := 0, 0
	for s, n := range rec.statuses {
		if !rec.expect.has(s) && n.Before+n.During > most {
			code, most = s, n.Before+n.During
		}
	}
	return fmt.Errorf("%d of %d %s requests answered%s had a status that -expect does not name, most of them %d %s: %s",
		unexpected, answered, rec.name, when, code, http.StatusText(code), statusHint(code, rec.name))
}

func statusHint(code int, kind string) string {
	path := "the path in -url"
	if strings.HasSuffix(kind, "slow") {
		path = "-slow-path"
	}
	hint := "look at " + path + ", -method, -body and -header"
	switch code {
	case http.StatusNotFound, http.StatusGone:
		hint = "look at " + path + ", and at -method: some frameworks give this answer if the path does not take the method " +
			"(-method GET)"
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		hint = "look at -method; many paths take GET alone: -method GET"
	case http.StatusUnauthorized, http.StatusForbidden:
		hint = "send the credentials that the server wants, such as -header 'Authorization: …'"
	case http.StatusUnsupportedMediaType:
		hint = "send the type of the body, such as -header 'Content-Type: application/json', and -body"
	case http.StatusTooManyRequests:
		hint = "the server limits the rate; use fewer clients or a longer -pause"
	case http.StatusMisdirectedRequest:
		hint = "look at the host in -url, or send -header 'Host: …'"
	}
	if code >= 500 {
		hint = "the server fails before it is stopped; look at what it prints (-v)"
	}
	return fmt.Sprintf("%s; if this status is right, allow it with -expect 2xx,3xx,%d", hint, code)
}

// newInTheStop counts the answers after the signal with a status that is neither
// expected nor as frequent as it was before.
func newInTheStop(s Statuses, expect, after statusSet) (n int, codes []int) {
	var before, during int
	for _, c := range s {
		before += c.Before
		during += c.During
	}
	for _, code := range slices.Sorted(maps.Keys(s)) {
		c := s[code]
		if expect.has(code) || after.has(code) || c.During == 0 {
			continue
		}
		// Twice as many as before, and a few by chance, do not count.
		if c.Before > 0 && c.During <= 2*c.Before*during/before+2 {
			continue
		}
		n += c.During
		codes = append(codes, code)
	}
	return n, codes
}
