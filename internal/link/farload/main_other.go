//go:build !linux

package main

import (
	"fmt"
	"os"

	"github.com/fxshutdown/fxhttp/internal/link"
)

func main() {
	fmt.Fprintln(os.Stderr, "farload:", link.ErrUnavailable)
	os.Exit(2)
}
