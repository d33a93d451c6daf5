//go:build !unix

package app

import "time"

// The bench needs a unix system. Elsewhere it builds.
func cpu() time.Duration { return 0 }
