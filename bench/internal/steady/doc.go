// Package steady measures what a server costs while it is not being stopped.
package steady
