package browsertest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	fxhttpadmin "github.com/fxshutdown/fxhttp/admin"
)

// feed serves the page, and a stream with whatever the test chooses instead of real
// servers. It ends a stream when its client goes, or when quit is closed.
func feed(t *testing.T, quit <-chan struct{}, told any) (addr string) {
	t.Helper()
	data, err := json.Marshal(told)
	if err != nil {
		t.Fatal(err)
	}
	page := fxhttpadmin.NewPage()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/events" {
			page.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "event: now\ndata: %s\n\n", data)
		http.NewResponseController(w).Flush()
		select {
		case <-quit:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

type object = map[string]any

// snapshot returns what the page receives about a server that stops, with text in every
// string.
func snapshot(text string) object {
	request := object{"method": text, "path": text, "proto": text, "remote": text, "age": 1500, "stream": true}
	return object{"servers": []object{{
		"name": text, "addr": text, "state": "stopping", "error": text, "requests": []object{request, request},
		"stats": object{"new": 1, "active": 2, "idle": 3, "hijacked": 4, "in_flight": 2, "requests": 12, "answered": 10},
		"stop": object{
			"elapsed": 2500, "over": false, "phase": "drain", "phases": []object{{"name": "delay", "took": 1000}, {"name": text, "took": 5}},
			"skipped": text, "force": 12000, "end": 13000, "waits_for": []object{request, request, request}, "waiting": 20,
		},
	}}}
}

// The server escapes what clients send. The page does not rely on that: it inserts
// everything as text.
func TestPageMakesNoMarkup(t *testing.T) {
	const count = `JSON.stringify([...document.querySelectorAll("*")].reduce((n, e) => ({ ...n, [e.tagName]: (n[e.tagName] || 0) + 1 }), {}))`
	counts := make(map[string]string)
	for name, text := range map[string]string{
		"plain":  "plain",
		"markup": `"'><script>console.error(1)</script><img src=http://192.0.2.1/ onerror=console.error(2)><svg/onload=console.error(3)>`,
		"bidi":   "\u202egnp.exe\u2066\u05d0\u05d1/\u200f\u2028\x00\x1b[31m",
		"long":   strings.Repeat("<i>x", 2<<10),
	} {
		t.Run(name, func(t *testing.T) {
			quit := make(chan struct{})
			tab := open(t, feed(t, quit, snapshot(text)))
			tab.allowOutage()
			t.Cleanup(func() { close(quit) })
			tab.until(`document.querySelectorAll("td.path").length === 2`)
			want(tab, `document.querySelector("td.path").textContent`, text)
			want(tab, `document.querySelector("h2").textContent`, text)
			want(tab, `document.querySelector(".error").textContent`, text)
			want(tab, `getComputedStyle(document.querySelector("td.path")).unicodeBidi`, "isolate-override")
			// The words after it still run from left to right.
			want(tab, `(() => {
				const words = document.querySelector(".waits li").lastChild.firstChild;
				const left = i => {
					const range = document.createRange();
					range.setStart(words, i);
					range.setEnd(words, i + 1);
					return range.getBoundingClientRect().left;
				};
				return words.data.startsWith(" for ") && left(1) < left(2) && left(2) < left(3);
			})()`, true)
			counts[name] = eval[string](tab, count)
			tab.wantLayout(name)
		})
	}
	for name, got := range counts {
		if got != counts["plain"] {
			t.Errorf("%s: the page has the elements %s, want %s", name, got, counts["plain"])
		}
	}
}
