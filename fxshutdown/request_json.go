package fxshutdown

import (
	"encoding/json"
	"time"
)

// requestJSON is a Request whose age is text: encoding/json writes a duration as
// nanoseconds, and no unit.
type requestJSON struct {
	requestFields
	Age string `json:"age"` // hides that of requestFields
}

// requestFields has no methods, so that encoding/json does not call them again.
type requestFields Request

// MarshalJSON writes Age as text, such as "1.5s".
func (r Request) MarshalJSON() ([]byte, error) {
	return json.Marshal(requestJSON{requestFields(r), r.Age.String()})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Request) UnmarshalJSON(data []byte) error {
	var v requestJSON
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	age, err := time.ParseDuration(v.Age)
	if err != nil {
		return err
	}
	*r = Request(v.requestFields)
	r.Age = age
	return nil
}
