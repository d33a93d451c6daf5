package browsertest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp"
)

// The page shows every server of the app, and its running requests, oldest first.
func TestPageFollowsServers(t *testing.T) {
	g := make(gate)
	a := startApp(t, loopback, server(g), server(http.NotFoundHandler(), fxhttp.WithName("jobs")))
	tab := open(t, a.admin())
	tab.until(`text(card("http")?.querySelector(".badge")) === "serving"`)
	want(tab, `texts(document.querySelectorAll("h2")).join()`, "http,jobs,admin")
	want(tab, `text(document.querySelector("#link"))`, "Live")
	want(tab, `text(card("http").querySelector(".addr"))`, a.servers[""].Addr().String())
	want(tab, `text(card("http").querySelector(".none"))`, "No request is in flight.")
	tab.wantLayout("idle")

	var waits []func()
	for _, path := range []string{"/first", "/second", "/third"} {
		waits = append(waits, request(t, a.servers[""], path+"?token=secret"))
	}
	tab.until(`texts(card("http").querySelectorAll("td.path")).join() === "/first,/second,/third"`)
	want(tab, `texts(card("http").querySelectorAll("tbody tr:first-child td")).slice(1, 3).join()`, "GET,/first")
	want(tab, `document.body.innerHTML.includes("secret")`, false)
	want(tab, `[...card("http").querySelectorAll("dt")].find(e => e.textContent === "In flight").nextSibling.textContent`, "3")
	want(tab, `card("jobs").querySelectorAll("td").length`, 0)
	a.servers["jobs"].SetUnready("test")
	tab.until(`text(card("jobs").querySelector(".badge")) === "unready"`)
	tab.wantLayout("busy")

	// What a reader has selected, to copy it, is still selected after an update.
	want(tab, `(() => {
		getSelection().selectAllChildren(card("http").querySelector("td.path"));
		window.age = text(card("http").querySelector("td"));
		return String(getSelection());
	})()`, "/first")
	tab.until(`text(card("http").querySelector("td")) !== age`)
	want(tab, `String(getSelection())`, "/first")

	close(g)
	for _, wait := range waits {
		wait()
	}
	tab.until(`text(card("http").querySelector(".none")) === "No request is in flight."`)
}

// The page lists only the oldest requests, and counts all of them.
func TestPageManyRequests(t *testing.T) {
	g := make(gate)
	a := startApp(t, loopback, server(g))
	tab := open(t, a.admin())
	var waits []func()
	for i := range 103 {
		waits = append(waits, request(t, a.servers[""], fmt.Sprint("/", i)))
	}
	tab.until(`card("http")?.innerText.includes("and 3 more")`)
	want(tab, `card("http").querySelectorAll("td.path").length`, 100)
	close(g)
	for _, wait := range waits {
		wait()
	}
	tab.until(`!card("http").innerText.includes(" more")`)
}

// Whatever a client sends is shown as text, in the order in which it was sent.
func TestPageHostilePaths(t *testing.T) {
	paths := []string{
		`/<script>console.error(1)</script>`,
		`/<img src=//192.0.2.1/ onerror=console.error(2)>"'><svg onload=console.error(3)>`,
		"/\u202egnp.exe\u2066/\u200f\u0591",
		"/a\r\nevent: goodbye\r\ndata: {}\r\n\r\n",
		"/{{1}}${2}</td></table></template><!--" + strings.Repeat("x", 10<<10),
		"/" + strings.Repeat("x", 200), // without any place for a line break
	}
	g := make(gate)
	a := startApp(t, loopback, server(g))
	tab := open(t, a.admin())
	tab.until(`text(card("http")?.querySelector(".badge")) === "serving"`)
	const census = `JSON.stringify([...document.querySelectorAll("*")].filter(e => !e.closest("svg, tbody, .waits ul, .phases, .bar"))
		.reduce((n, e) => ({ ...n, [e.tagName]: (n[e.tagName] || 0) + 1 }), {}))`
	before := eval[string](tab, census)

	var waits []func()
	for _, path := range paths {
		waits = append(waits, request(t, a.servers[""], "/"+url.PathEscape(strings.TrimPrefix(path, "/"))))
	}
	tab.until(fmt.Sprintf(`card("http").querySelectorAll("td.path").length === %d`, len(paths)))
	for i, r := range a.servers[""].InFlight() {
		want(tab, fmt.Sprintf(`card("http").querySelectorAll("td.path")[%d].textContent`, i), r.Path)
	}
	want(tab, census, before)
	want(tab, `card("http").querySelectorAll("td.path *").length`, 0)
	tab.wantLayout("hostile")

	stopped := a.stopServer(2 * time.Minute)
	tab.until(fmt.Sprintf(`card("http").querySelectorAll(".waits li").length === %d`, len(paths)))
	want(tab, `text(card("http").querySelector(".waits li .sent"))`, "GET "+paths[0])
	want(tab, `card("http").querySelectorAll(".waits .sent *").length`, 0)
	want(tab, census, before)
	tab.wantLayout("hostile-stop")
	close(g)
	for _, wait := range waits {
		wait()
	}
	if err := stopped(); err != nil {
		t.Errorf("Stop() = %v", err)
	}
}
