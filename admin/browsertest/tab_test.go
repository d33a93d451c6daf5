package browsertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience bounds the wait for what should happen at once. A picture may take long on a
// busy machine.
const patience = time.Minute

// browser is the one Chromium that all tests share; each test has a tab of its own.
var browser struct {
	once sync.Once
	ctx  context.Context
	err  error
	stop []context.CancelFunc
}

// chromium returns the context of the browser, which it starts if necessary. It skips the
// test if no Chromium is installed.
func chromium(t *testing.T) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		const word = "no Chromium is installed (Debian: apt-get install chromium)"
		if os.Getenv("CI") != "" {
			t.Fatal(word)
		}
		t.Skip(word)
	}
	browser.once.Do(func() { startBrowser(path) })
	if browser.err != nil {
		t.Fatal(browser.err)
	}
	return browser.ctx
}

func startBrowser(path string) {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.WSURLReadTimeout(patience),
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses to run as root with it
	}
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stop := chromedp.NewContext(allocator)
	browser.stop = []context.CancelFunc{stop, stopAllocator}
	browser.ctx, browser.err = ctx, chromedp.Run(ctx)
}

func stopBrowser() {
	for _, stop := range browser.stop {
		stop()
	}
}

// A tab shows the page. It fails its test for every line in its console, every violation
// of the page's policy, every dialog, and every request that is not the page's own.
type tab struct {
	t      *testing.T
	ctx    context.Context
	origin string // of the admin server, without a slash

	mu       sync.Mutex // guards what follows
	problems []string
	requests []string // URLs
	outage   bool     // set if connections to the admin server may fail
}

// open opens the page of an admin server.
func open(t *testing.T, addr string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(chromium(t))
	tab := &tab{t: t, ctx: ctx, origin: "http://" + addr}
	chromedp.ListenTarget(ctx, tab.hear)
	t.Cleanup(func() {
		cancel()
		tab.check()
	})
	if err := chromedp.Run(ctx); err != nil { // the tab ends with the context of the first Run
		t.Fatal(err)
	}
	tab.run(network.Enable(), tab.loadHelpers(), chromedp.Navigate(tab.origin+"/"))
	return tab
}

// run runs actions of chromedp.
func (tab *tab) run(actions ...chromedp.Action) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		tab.t.Fatalf("the browser: %v", err)
	}
}

// hear receives the events of the tab.
func (tab *tab) hear(event any) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	note := func(format string, args ...any) { tab.problems = append(tab.problems, fmt.Sprintf(format, args...)) }
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		note("console.%s", e.Type)
	case *runtime.EventExceptionThrown:
		note("exception: %v", e.ExceptionDetails)
	case *log.EventEntryAdded:
		if e.Entry.Source != log.SourceNetwork || !tab.outage || e.Entry.URL != tab.origin+"/events" {
			note("log: %s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *page.EventJavascriptDialogOpening:
		note("dialog: %s", e.Message)
	case *network.EventRequestWillBeSent:
		tab.requests = append(tab.requests, e.Request.URL)
	case *network.EventWebSocketCreated:
		tab.requests = append(tab.requests, e.URL)
	}
}

// check runs at the end of the test, and fails it for what the tab has recorded.
func (tab *tab) check() {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	for _, p := range tab.problems {
		tab.t.Errorf("the page: %s", p)
	}
	own := []string{tab.origin + "/", tab.origin + "/events", "data:,"} // the last is the icon
	seen := make(map[string]bool)
	for _, url := range tab.requests {
		seen[url] = true
		if url != own[0] && url != own[1] && url != own[2] {
			tab.t.Errorf("the page has requested %.200s", url)
		}
	}
	if !seen[own[0]] || !seen[own[1]] {
		tab.t.Errorf("the recorded requests are %q, want the page and its stream among them", tab.requests)
	}
}

// allowOutage declares that the admin server will be gone for a while.
func (tab *tab) allowOutage() {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.outage = true
}

// helpers is a script that runs before the page's own.
const helpers = `
	const card = name => [...document.querySelectorAll("section")].find(s => s.querySelector("h2").textContent === name);
	const seen = e => Boolean(e) && e.checkVisibility();
	const text = e => seen(e) ? e.textContent : "";
	const texts = list => [...list].filter(seen).map(e => e.textContent);
	addEventListener("securitypolicyviolation", e => console.error("violation of " + e.violatedDirective + " by " + e.blockedURI));
`

func (tab *tab) loadHelpers() chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(helpers).Do(ctx)
		return err
	})
}

// eval returns the value of a JavaScript expression.
func eval[T any](tab *tab, js string) (v T) {
	tab.t.Helper()
	tab.run(chromedp.Evaluate(js, &v))
	return v
}

// until waits until a JavaScript expression is true.
func (tab *tab) until(js string) {
	tab.t.Helper()
	for end := time.Now().Add(patience); !eval[bool](tab, "Boolean("+js+")"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			tab.t.Fatalf("never: %s\nthe page says:\n%s", js, eval[string](tab, "document.body.innerText"))
		}
	}
}

// want checks that a JavaScript expression has the wanted value.
func want[T comparable](tab *tab, js string, want T) {
	tab.t.Helper()
	if got := eval[T](tab, js); got != want {
		tab.t.Errorf("%s = %v, want %v", js, got, want)
	}
}

// look sets the color scheme and the size of the tab.
func (tab *tab) look(scheme string, width int64) {
	tab.t.Helper()
	tab.run(
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
		emulation.SetDeviceMetricsOverride(width, 844, 1, width < 500),
	)
}

// shoot writes a picture of the whole page if -shots is set.
func (tab *tab) shoot(name string) {
	tab.t.Helper()
	if *shots == "" {
		return
	}
	var png []byte
	tab.run(chromedp.FullScreenshot(&png, 100))
	name = strings.ReplaceAll(tab.t.Name(), "/", "-") + "-" + name + ".png"
	if err := os.WriteFile(filepath.Join(*shots, name), png, 0o644); err != nil {
		tab.t.Fatal(err)
	}
}
