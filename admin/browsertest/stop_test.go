package browsertest

import (
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// watch records what the page says about a stop of "http": its verdicts, one after
// another, and how much of its bar was filled.
const watch = `(() => {
	window.verdicts = [];
	window.fills = [];
	const look = () => {
		const verdict = text(card("http").querySelector(".verdict"));
		if (verdict && verdict !== verdicts.at(-1)) verdicts.push(verdict);
		fills.push([...card("http").querySelectorAll(".bar .phase")].reduce((sum, e) => sum + parseFloat(e.style.width), 0));
	};
	new MutationObserver(look).observe(card("http"), { subtree: true, childList: true, characterData: true, attributes: true });
	return true;
})()`

// The page follows a stop through its phases, and shows the result when it is over.
func TestPageFollowsAStop(t *testing.T) {
	g, stream := make(gate), make(chan struct{})
	mux := http.NewServeMux()
	mux.Handle("/report", g)
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		draining := fxshutdown.Draining(r.Context())
		http.NewResponseController(w).Flush()
		<-draining
		<-stream // until the test lets it return
	})
	sockets := make(chan net.Conn, 1)
	mux.HandleFunc("/socket", func(w http.ResponseWriter, r *http.Request) {
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			sockets <- c // the handler returns, the connection stays open
		}
	})
	a := startApp(t, loopback, server(mux, fxhttp.WithShutdownDelay(4*time.Second)), server(http.NotFoundHandler(), fxhttp.WithName("jobs")))
	tab := open(t, a.admin())
	waitReport := request(t, a.servers[""], "/report")
	waitStream := request(t, a.servers[""], "/events")
	client, err := net.Dial("tcp", a.servers[""].Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	fmt.Fprint(client, "GET /socket HTTP/1.1\r\nHost: test\r\n\r\n")
	socket := <-sockets
	tab.until(`card("http")?.querySelectorAll("td.path").length === 2`)
	want(tab, `texts(card("http").querySelectorAll("tbody td:last-child")).join()`, ",yes")
	want(tab, `seen(card("http").querySelector(".stop"))`, false)
	want(tab, watch, true)

	stopped := a.stopServer(2 * time.Minute)
	tab.until(`text(card("http").querySelector(".verdict")).includes("load balancers")`)
	want(tab, `text(card("http").querySelector(".badge"))`, "stopping")
	want(tab, `document.title`, "stopping: http")
	want(tab, `text(card("jobs").querySelector(".badge"))`, "serving")
	tab.until(`text(card("http").querySelector(".verdict")).includes("Draining")`)
	want(tab, `texts(card("http").querySelectorAll(".waits li .sent")).join()`, "GET /report,GET /events,GET /socket")
	want(tab, `texts(card("http").querySelectorAll(".waits li"))[1].endsWith(", a stream")`, true)
	want(tab, `text(card("http").querySelector(".waits h3"))`, "Waiting for 2 requests and 1 hijacked connection, on 3 connections (0 new, 2 active, 0 idle, 1 hijacked)")
	tab.wantLayout("drain")
	// The mark stands shortly before the end of the bar.
	want(tab, `(() => {
		const bar = card("http").querySelector(".bar").getBoundingClientRect();
		const [mark, ...others] = [...card("http").querySelectorAll(".bar .mark")].map(e => e.getBoundingClientRect());
		const filled = Math.max(...[...card("http").querySelectorAll(".bar .phase")].map(e => e.getBoundingClientRect().right));
		return others.length === 0 && bar.left < filled && filled < mark.left && mark.left > bar.left + .9 * bar.width && mark.right < bar.right;
	})()`, true)
	want(tab, `(window.fill = fills.at(-1)) > 0`, true)
	tab.until(`fills.at(-1) > fill + .5`)

	close(stream)
	waitStream()
	socket.Close()
	tab.until(`texts(card("http").querySelectorAll(".waits li .sent")).join() === "GET /report"`)
	close(g)
	waitReport()
	tab.until(`text(card("http").querySelector(".badge")) === "stopped"`)
	want(tab, `text(card("http").querySelector(".verdict"))`, "Stopped: nothing was cut.")
	want(tab, `seen(card("http").querySelector(".waits"))`, false)
	want(tab, `texts(card("http").querySelectorAll(".phases li")).map(s => s.split(" ")[0]).join()`, "delay,announce,listener,drain,took")
	want(tab, `document.title`, "fxhttp")
	tab.wantLayout("stopped")
	if err := stopped(); err != nil {
		t.Errorf("Stop() = %v", err)
	}
	// The page may miss phases that take only a moment.
	want(tab, `verdicts.filter(v => !/Telling clients|accept queue/.test(v)).map(v => v.split(/[ :]/).slice(0, 3).join(" ")).join("; ")`,
		"Stopping. Still accepting,; Stopping. Draining ; Stopped  nothing")
	want(tab, `fills.every((f, i) => f <= 100 && (i === 0 || f >= fills[i - 1] - .01))`, true)
}

// The page says what was cut.
func TestPageTellsOfForce(t *testing.T) {
	g := make(gate)
	deaf := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-g })
	a := startApp(t, loopback, server(deaf))
	tab := open(t, a.admin())
	wait := request(t, a.servers[""], "/deaf")
	tab.until(`card("http")?.querySelectorAll("td.path").length === 1`)
	stopped := a.stopServer(5 * time.Second) // the page looks once a second
	tab.until(`card("http").querySelectorAll(".waits li").length === 1`)
	if err := stopped(); err == nil {
		t.Error("Stop() = nil, want the request aborted")
	}
	close(g)
	wait()
	tab.until(`text(card("http").querySelector(".badge")) === "stopped"`)
	want(tab, `text(card("http").querySelector(".verdict"))`, "Stopped, not gracefully: 1 request aborted.")
	tab.wantLayout("forced")
}

// The page says that the app has stopped, and recovers when the next one starts.
func TestPageGoneAndBack(t *testing.T) {
	addr := freeAddr(t)
	a := startApp(t, addr, server(http.NotFoundHandler()))
	tab := open(t, addr)
	tab.until(`text(card("http")?.querySelector(".badge")) === "serving"`)
	want(tab, `seen(document.querySelector("#gone"))`, false)
	tab.allowOutage()
	if err := a.stop(patience); err != nil {
		t.Fatal(err)
	}
	tab.until(`text(document.querySelector("#gone")).startsWith("The app has stopped")`)
	want(tab, `text(document.querySelector("#link"))`, "Not connected")
	want(tab, `document.title`, "gone: fxhttp")
	want(tab, `text(card("http").querySelector(".badge"))`, "stopped")
	tab.wantLayout("gone")

	startApp(t, addr, server(http.NotFoundHandler(), fxhttp.WithName("next")))
	tab.until(`text(card("next")?.querySelector(".badge")) === "serving"`)
	want(tab, `seen(document.querySelector("#gone"))`, false)
	want(tab, `text(document.querySelector("#link"))`, "Live")
	want(tab, `texts(document.querySelectorAll("h2")).join()`, "next,admin")
	want(tab, `document.title`, "fxhttp")
}
