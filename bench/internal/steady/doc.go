// Package steady measures what a server costs while nobody stops it.
package steady
