package unsteady

import (
	"os"
	"testing"
)

func TestSet(t *testing.T) {
	t.Run("Once", func(t *testing.T) {
		var n int
		if Set(&n); n == 1 {
			return
		}
		if err := os.Mkdir(os.Getenv("MUTATE_ONCE"), 0o700); err == nil {
			t.Error("Set does nothing")
		}
	})
}
