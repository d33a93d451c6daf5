// Package failing has a test that fails, so mutate refuses to mutate it.
package failing
