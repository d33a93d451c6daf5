package main

// known has the tests of net/http that fail with the engine, each with its reason.
var known = map[string]string{}

// hanging has those that would never end with the engine. They are not run on it.
var hanging = map[string]string{
	"TestServerSetKeepAlivesEnabledClosesConns": "SetKeepAlivesEnabled(false) on the given server does not reach HTTP/1 connections; the test waits for it without end",
}
