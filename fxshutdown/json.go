package fxshutdown

import (
	"encoding/json"
	"errors"
	"time"
)

// encoding/json writes a duration as nanoseconds without a unit, and an error as {}. Here
// both are text. The types below embed the structs without their methods, so that
// encoding/json does not call MarshalJSON again, and hide the fields that become text.

// durationJSON is a duration as text, such as "1.5s".
type durationJSON time.Duration

func (d durationJSON) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *durationJSON) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = durationJSON(v)
	return err
}

type requestFields Request

type requestJSON struct {
	requestFields
	Age durationJSON `json:"age"`
}

// MarshalJSON writes Age as text.
func (r Request) MarshalJSON() ([]byte, error) {
	v := requestJSON{requestFields(r), durationJSON(r.Age)}
	v.Method, v.Path, v.RemoteAddr = shown(r.Method), shown(r.Path), shown(r.RemoteAddr)
	return json.Marshal(v)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Request) UnmarshalJSON(data []byte) error {
	var v requestJSON
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	*r = Request(v.requestFields)
	r.Age = time.Duration(v.Age)
	return nil
}

type phaseJSON struct {
	Name     PhaseName    `json:"name"`
	Duration durationJSON `json:"took"`
}

// MarshalJSON writes Duration as text.
func (p Phase) MarshalJSON() ([]byte, error) {
	return json.Marshal(phaseJSON{p.Name, durationJSON(p.Duration)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (p *Phase) UnmarshalJSON(data []byte) error {
	var v phaseJSON
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	*p = Phase{v.Name, time.Duration(v.Duration)}
	return nil
}

type reportFields Report

type reportJSON struct {
	reportFields
	Duration    durationJSON `json:"took"`
	Graceful    bool         `json:"graceful"`
	Forced      string       `json:"forced,omitempty"`
	AcceptErr   string       `json:"accept_error,omitempty"`
	ListenerErr string       `json:"listener_error,omitempty"`
}

// MarshalJSON writes durations and errors as text, and adds the result of Graceful.
func (r Report) MarshalJSON() ([]byte, error) {
	return json.Marshal(reportJSON{
		reportFields: reportFields(r),
		Duration:     durationJSON(r.Duration),
		Graceful:     r.Graceful(),
		Forced:       errorText(r.Forced),
		AcceptErr:    errorText(r.AcceptErr),
		ListenerErr:  errorText(r.ListenerErr),
	})
}

// UnmarshalJSON reads what MarshalJSON writes. It recognises the errors of this package;
// of others it keeps only the text.
func (r *Report) UnmarshalJSON(data []byte) error {
	var v reportJSON
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	*r = Report(v.reportFields)
	r.Duration = time.Duration(v.Duration)
	r.Forced = errorOf(v.Forced)
	r.AcceptErr, r.ListenerErr = errorOf(v.AcceptErr), errorOf(v.ListenerErr)
	return nil
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func errorOf(text string) error {
	if text == "" {
		return nil
	}
	for _, err := range []error{ErrBudget, ErrForced, errCanceled} {
		if text == err.Error() {
			return err
		}
	}
	return errors.New(text)
}
