// Package browsertest tests the live page of fxhttpadmin in a real Chromium, headless, on
// the loopback interface. It is a module of its own, so that users of fxhttp do not depend
// on the package that drives the browser.
//
// Its tests are skipped where no Chromium is installed (Debian: apt-get install chromium),
// and fail there if the environment variable CI is set.
//
//	go test ./admin/browsertest                # from the root of the repository
//	go test ./admin/browsertest -shots DIR     # also writes a picture of each tested state
//	go test ./admin/browsertest -run Screenshots -update
//
// The last command makes new pictures for the README, in admin/screenshots.
package browsertest
