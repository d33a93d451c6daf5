//go:build unix

package browsertest

import (
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// The page follows a process that hangs, goes on, and is killed.
func TestExampleHangs(t *testing.T) {
	e := startExample(t)
	tab := open(t, e.admin)
	tab.until(`text(document.querySelector("#link")) === "Live"`)
	tab.allowOutage()
	e.cmd.Process.Signal(syscall.SIGSTOP)
	tab.until(`text(document.querySelector("#gone")).startsWith("The server has sent nothing since ")`)
	// A screen reader would read an alert that changes again.
	want(tab, `(window.first = text(document.querySelector("#gone"))) !== ""`, true)
	tab.run(chromedp.Sleep(2500 * time.Millisecond))
	want(tab, `text(document.querySelector("#gone")) === first`, true)
	e.cmd.Process.Signal(syscall.SIGCONT)
	tab.until(`text(document.querySelector("#link")) === "Live"`)
	want(tab, `seen(document.querySelector("#gone"))`, false)
	e.cmd.Process.Kill()
	tab.until(`text(document.querySelector("#gone")).startsWith("The server has been unreachable since ")`)
	want(tab, `text(card("http").querySelector(".badge"))`, "serving") // the last known state
}
