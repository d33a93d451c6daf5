// Package report writes results for people: a Markdown table and plots.
package report
