package browsertest

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/fxshutdown/fxhttp/internal/testproc"
)

// example is the service of the README, a process of its own.
type example struct {
	cmd        *exec.Cmd
	api, admin string // addresses
	ended      chan struct{}
}

func startExample(t *testing.T, args ...string) *example {
	t.Helper()
	chromium(t) // skips the test if there is none
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be sent an interrupt")
	}
	bin := filepath.Join(t.TempDir(), "example")
	build := exec.Command("go", "build", "-o", bin, "./example")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	e := &example{cmd: exec.Command(bin, append([]string{"-addr", loopback, "-admin", loopback}, args...)...), ended: make(chan struct{})}
	stderr, err := e.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := testproc.Start(e.cmd); err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{})
	go func() {
		defer close(e.ended)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			var line struct{ Msg, Server, Addr string }
			if json.Unmarshal(lines.Bytes(), &line) != nil || line.Msg != "http server started" {
				continue
			}
			if line.Server == "admin" {
				e.admin = line.Addr
			} else {
				e.api = line.Addr
			}
			if e.api != "" && e.admin != "" {
				close(started)
			}
		}
	}()
	t.Cleanup(func() {
		e.cmd.Process.Kill()
		<-e.ended
		e.cmd.Wait()
	})
	select {
	case <-started:
	case <-time.After(patience):
		t.Fatal("the example does not start")
	}
	return e
}

// get sends a request to the example. The channel receives the body, or "" if the answer
// is not complete.
func (e *example) get(path string) <-chan string {
	body := make(chan string, 1)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Minute}
	go func() {
		defer close(body)
		resp, err := client.Get("http://" + e.api + path)
		if err != nil {
			return
		}
		defer resp.Body.Close()
		if b, err := io.ReadAll(resp.Body); err == nil {
			body <- string(b)
		}
	}()
	return body
}

// The page follows the service of the README, interrupted while a report and a stream run.
func TestExample(t *testing.T) {
	e := startExample(t, "-work", "10s", "-delay", "3s")
	tab := open(t, e.admin)
	tab.until(`text(card("http")?.querySelector(".badge")) === "serving"`)
	want(tab, watch, true)
	report, stream := e.get("/report"), e.get("/events")
	tab.until(`texts(card("http").querySelectorAll("td.path")).toSorted().join() === "/events,/report"`)
	tab.allowOutage()
	if err := testproc.Interrupt(e.cmd.Process); err != nil {
		t.Fatal(err)
	}
	if got := <-stream; !strings.HasSuffix(got, "event: goodbye\ndata: come back soon\n\n") {
		t.Errorf("the stream was %q, want a goodbye", got)
	}
	tab.until(`texts(card("http").querySelectorAll(".waits li .sent")).join() === "GET /report"`)
	want(tab, `text(card("admin").querySelector(".badge"))`, "serving")
	if got := <-report; got != `{"items":42}`+"\n" {
		t.Errorf("the report was %q, want 42 items", got)
	}
	tab.until(`text(document.querySelector("#gone")).startsWith("The app has stopped")`)
	want(tab, `["load balancers", "Draining", "Stopped: nothing was cut."].every(words => verdicts.some(v => v.includes(words)))`, true)
	<-e.ended
	if err := e.cmd.Wait(); err != nil {
		t.Errorf("the example ended with %v", err)
	}
}

// TestScreenshots makes the pictures of the README: of a stop, and of its end.
func TestScreenshots(t *testing.T) {
	if !*update {
		t.Skip("without -update")
	}
	e := startExample(t, "-work", "12s", "-delay", "3s")
	tab := open(t, e.admin)
	tab.look("light", 900)
	tab.until(`text(card("http")?.querySelector(".badge")) === "serving"`)
	e.load(40 * time.Second)
	report := e.get("/report")
	tab.until(`texts(card("http").querySelectorAll("td.path")).join() === "/report"`)
	time.Sleep(4 * time.Second)
	if err := testproc.Interrupt(e.cmd.Process); err != nil {
		t.Fatal(err)
	}
	tab.until(`/drain [2-9]\.\d s/.test(text(card("http").querySelector(".phases")))`)
	tab.write("light")
	<-report
	tab.allowOutage()
	tab.until(`text(document.querySelector("#gone")).startsWith("The app has stopped")`)
	tab.look("dark", 900)
	tab.write("dark")
}

// load makes more and more clients request items.
func (e *example) load(d time.Duration) {
	var clients sync.WaitGroup
	end := time.Now().Add(d)
	for n := range 24 {
		clients.Go(func() {
			client := &http.Client{Transport: &http.Transport{}} // leaves an idle connection
			time.Sleep(time.Duration(n) * d / 40)
			for time.Now().Before(end.Add(time.Duration(n%5) * time.Second)) {
				if resp, err := client.Get("http://" + e.api + "/items/kettle"); err == nil {
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				time.Sleep(time.Duration(100+37*n) * time.Millisecond)
			}
		})
	}
	clients.Wait()
}

// write writes a picture of the top of the page.
func (tab *tab) write(name string) {
	tab.t.Helper()
	var png []byte
	tab.run(emulation.SetDeviceMetricsOverride(900, 600, 1, false), chromedp.CaptureScreenshot(&png))
	if err := os.WriteFile(filepath.Join("..", "screenshots", name+".png"), png, 0o644); err != nil {
		tab.t.Fatal(err)
	}
}
