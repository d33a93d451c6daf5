package fxshutdown

import (
	"testing"
	"time"
)

// The error of a stop names as much as it can in one line.
func TestAbortedErrorText(t *testing.T) {
	request := Request{Method: "GET", Path: "/a", Age: time.Second}
	many := make([]Request, maxNamed+1)
	for i := range many {
		many[i] = request
	}
	const ten = `GET "/a" (1s), GET "/a" (1s), GET "/a" (1s), GET "/a" (1s), GET "/a" (1s), ` +
		`GET "/a" (1s), GET "/a" (1s), GET "/a" (1s), GET "/a" (1s), GET "/a" (1s)`
	for _, test := range []struct {
		err  AbortedError
		want string
	}{
		{AbortedError{Count: 2}, "2 requests aborted"},
		{AbortedError{Count: 1, Requests: many[:1]}, `1 request aborted: GET "/a" (1s)`},
		{AbortedError{Count: 10, Requests: many[:10]}, "10 requests aborted: " + ten},
		{AbortedError{Count: 12, Requests: many}, "12 requests aborted: " + ten + ", and 2 more"},
		{AbortedError{Unbegun: 1}, "1 request aborted; 1 had not reached a handler"},
		{AbortedError{Count: 1, Requests: many[:1], Unbegun: 2}, `3 requests aborted: GET "/a" (1s); 2 had not reached a handler`},
	} {
		test.err.Reason = ErrBudget
		if got, want := test.err.Error(), ErrBudget.Error()+": "+test.want; got != want {
			t.Errorf("Error() = %q, want %q", got, want)
		}
	}
}
