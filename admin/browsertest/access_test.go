package browsertest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/fxshutdown/fxhttp"
)

// Without a mouse, a reader can reach what scrolls, and sees where the focus is.
func TestPageByKeyboard(t *testing.T) {
	g := make(gate)
	a := startApp(t, loopback, server(g), server(g, fxhttp.WithName("jobs")))
	tab := open(t, a.admin())
	tab.look("light", 390)
	wait, waitJobs := request(t, a.servers[""], "/"+strings.Repeat("long", 20)), request(t, a.servers["jobs"], "/b")
	tab.until(`card("http")?.querySelectorAll("td.path").length === 1 && card("jobs")?.querySelectorAll("td.path").length === 1`)
	want(tab, `[...document.querySelectorAll("a[href], button, input, [tabindex], .scroll")].filter(seen).length`, 3)
	for _, name := range []string{"http", "jobs", "admin"} { // the last one serves this page
		tab.run(chromedp.KeyEvent(kb.Tab))
		want(tab, `document.activeElement.getAttribute("aria-label")`, "Requests in flight of "+name)
		want(tab, `(s => s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2)(getComputedStyle(document.activeElement))`, true)
		tab.shoot("focus-" + name)
		// It scrolls, and stays where it is when the page is updated.
		tab.run(chromedp.KeyEvent(kb.ArrowRight))
		tab.until(`document.activeElement.scrollLeft > 0`)
		want(tab, `(window.age = text(document.activeElement.querySelector("td"))) !== ""`, true)
		tab.until(`text(document.activeElement.querySelector("td")) !== age`)
		want(tab, `document.activeElement.scrollLeft > 0`, true)
	}
	tab.run(chromedp.KeyEvent(kb.Tab))
	want(tab, `document.activeElement.tagName`, "BODY") // nothing holds the focus
	close(g)
	wait()
	waitJobs()
}

// node is a node of the accessibility tree, as a screen reader gets it.
type node struct {
	role, name string
	properties map[string]string
}

// tree returns the nodes that are not ignored.
func (tab *tab) tree() (nodes []node) {
	tab.t.Helper()
	type value struct {
		Value any `json:"value"`
	}
	text := func(v value) string { return strings.TrimSuffix(fmt.Sprint(v.Value), "<nil>") }
	// The package accessibility does not know everything that a later Chromium sends.
	var all struct {
		Nodes []struct {
			Ignored    bool  `json:"ignored"`
			Role       value `json:"role"`
			Name       value `json:"name"`
			Properties []struct {
				Name  string `json:"name"`
				Value value  `json:"value"`
			} `json:"properties"`
		} `json:"nodes"`
	}
	tab.run(chromedp.ActionFunc(func(ctx context.Context) error {
		return cdp.Execute(ctx, "Accessibility.getFullAXTree", nil, &all)
	}))
	for _, n := range all.Nodes {
		if n.Ignored {
			continue
		}
		got := node{text(n.Role), text(n.Name), make(map[string]string)}
		for _, p := range n.Properties {
			got.properties[p.Name] = text(p.Value)
		}
		nodes = append(nodes, got)
	}
	return nodes
}

// ofRole returns the nodes with a role.
func ofRole(nodes []node, role string) (found []node) {
	for _, n := range nodes {
		if n.role == role {
			found = append(found, n)
		}
	}
	return found
}

func names(nodes []node) (all []string) {
	for _, n := range nodes {
		all = append(all, n.name)
	}
	return all
}

// The page has what a screen reader needs: landmarks, headings, a table with headers, and
// live regions.
func TestPageAccessibilityTree(t *testing.T) {
	g := make(gate)
	a := startApp(t, loopback, server(g))
	tab := open(t, a.admin())
	wait := request(t, a.servers[""], "/report")
	stopped := a.stopServer(2 * time.Minute)
	tab.until(`text(card("http")?.querySelector(".verdict")).includes("Draining") && card("http").querySelectorAll("td.path").length === 1`)
	nodes := tab.tree()
	for _, tt := range []struct {
		role string
		want []string
	}{
		{"banner", []string{""}},
		{"main", []string{""}},
		{"region", []string{"http", "admin", "Requests in flight of http", "Requests in flight of admin"}},
		{"table", []string{"Requests in flight, oldest first", "Requests in flight, oldest first"}},
		{"progressbar", []string{"Time of the stop"}},
	} {
		if got := names(ofRole(nodes, tt.role)); !slices.Equal(got, tt.want) {
			t.Errorf("the %ss are %q, want %q", tt.role, got, tt.want)
		}
	}
	headings := ofRole(nodes, "heading")
	var levels []string
	for _, h := range headings {
		levels = append(levels, h.properties["level"]+" "+h.name)
	}
	if got := strings.Join(levels, "; "); !strings.HasPrefix(got, "1 fxhttp servers; 2 http; 3 Waiting for 1 request") || !strings.HasSuffix(got, "; 2 admin") {
		t.Errorf("the headings are %q", got)
	}
	if got := names(ofRole(nodes, "columnheader")); !slices.Equal(got[:6], []string{"Age", "Method", "Path", "Client", "Protocol", "Stream"}) {
		t.Errorf("the headers are %q", got)
	}
	for _, n := range ofRole(nodes, "image") {
		if !strings.HasPrefix(n.name, "Connections: at most ") {
			t.Errorf("the picture is called %q, want its figures", n.name)
		}
	}
	// Chromium leaves this one out of its tree.
	want(tab, `card("http").querySelector("[role=progressbar]").getAttribute("aria-valuetext").startsWith("drain, ")`, true)
	for _, n := range ofRole(nodes, "status") {
		if n.properties["live"] != "polite" {
			t.Errorf("the status %q is live %q, want polite", n.name, n.properties["live"])
		}
	}
	if got := len(ofRole(nodes, "status")); got != 2 { // the connection, and the verdict
		t.Errorf("%d nodes are status, want 2", got)
	}
	// Live regions are not read again and again while nothing changes.
	want(tab, `(() => {
		window.said = 0;
		for (const e of document.querySelectorAll("[role=status], [role=alert]"))
			new MutationObserver(() => said++).observe(e, { subtree: true, childList: true, characterData: true });
		window.age = text(card("http").querySelector("td"));
		return true;
	})()`, true)
	tab.until(`text(card("http").querySelector("td")) !== age`)
	want(tab, `said`, 0)
	close(g)
	wait()
	if err := stopped(); err != nil {
		t.Errorf("Stop() = %v", err)
	}

	tab.allowOutage()
	if err := a.stop(patience); err != nil {
		t.Fatal(err)
	}
	tab.until(`seen(document.querySelector("#gone"))`)
	alerts := ofRole(tab.tree(), "alert")
	if len(alerts) != 1 || alerts[0].properties["live"] != "assertive" {
		t.Errorf("the alerts are %v, want one", alerts)
	}
}
