//go:build !linux

package link

import "testing"

func TestLink(t *testing.T) { t.Skip(ErrUnavailable) }
