// Package browsertest tests the live page of fxhttpadmin in a real Chromium, headless, on
// the loopback interface. It is a module of its own, so that what drives the browser is no
// requirement of fxhttp's users.
//
// Its tests are skipped where no Chromium is installed (Debian: apt-get install chromium),
// and fail there if the environment variable CI is set.
//
//	go test ./admin/browsertest                # from the root of the repository
//	go test ./admin/browsertest -shots DIR     # and write a picture of whatever was looked at
//	go test ./admin/browsertest -run Screenshots -update
//
// The last one makes the pictures of the README, in admin/screenshots, anew.
package browsertest
