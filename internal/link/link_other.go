//go:build !linux

package link

import "errors"

// ErrUnavailable says why there is no link here.
var ErrUnavailable = errors.New("link: needs Linux")
