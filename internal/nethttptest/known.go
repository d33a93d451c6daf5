package main

// known has the tests of net/http that fail with the engine, each with its reason.
var known = map[string]string{}
