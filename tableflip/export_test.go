package fxhttptableflip

import (
	"testing"

	"github.com/cloudflare/tableflip"
)

// ReplaceTableflip replaces tableflip.New, of which only the first call in a process
// succeeds, until the end of the test.
func ReplaceTableflip(t *testing.T, f func(tableflip.Options) (*tableflip.Upgrader, error)) {
	t.Cleanup(func() { newTableflip = tableflip.New })
	newTableflip = f
}
