package fxshutdown

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
	"unsafe"
)

func TestShown(t *testing.T) {
	long := strings.Repeat("x", maxText)
	for _, tt := range []struct{ name, in, want string }{
		{"Plain", "/report", "/report"},
		{"Empty", "", ""},
		{"Letters", "/grün/日本", "/grün/日本"},
		{"Quotes", `/a"b`, `/a\"b`},
		{"Backslash", `/a\`, `/a\\`},
		{"Lines", "/a\nb\r\tc", `/a\nb\r\tc`},
		{"Terminal", "\x1b[31m\u009b31m\x7f", `\x1b[31m\u009b31m\x7f`},
		{"Bidirectional", "\u202egnp.exe\u2066", `\u202egnp.exe\u2066`},
		{"Separators", "a\u2028b\u00a0c", `a\u2028b\u00a0c`},
		{"NoUTF8", "a\xffb\xe2\x80", `a\xffb\xe2\x80`},
		{"Replacement", "a\uFFFDb", "a\uFFFDb"},
		{"Fits", long, long},
		{"Long", long + "x", long[:maxText-len("…")] + "…"},
		{"LongEscaped", strings.Repeat("\n", 200), strings.Repeat(`\n`, 126) + "…"},
		{"LongLetters", strings.Repeat("ü", 200), strings.Repeat("ü", 126) + "…"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := shown(tt.in)
			if got != tt.want {
				t.Errorf("shown(%q) = %s, want %s", tt.in, got, tt.want)
			}
			if len(got) > maxText || !utf8.ValidString(got) {
				t.Errorf("shown(%q) = %q of %d bytes, want valid text of at most %d", tt.in, got, len(got), maxText)
			}
			if again := shown(got); again != got {
				t.Errorf("shown(%q) = %q, want it unchanged: it is shown already", got, again)
			}
		})
	}
}

// FuzzShown looks for a text that stays long, or that cannot be put between quotes.
func FuzzShown(f *testing.F) {
	for _, s := range []string{"/report", `a\"b`, "\u202e\xff\n", strings.Repeat(`\`, 300)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := shown(s)
		if len(got) > maxText || !isShown(got) || shown(got) != got {
			t.Errorf("shown(%q) = %q", s, got)
		}
	})
}

// A short description keeps no long header alive.
func TestKept(t *testing.T) {
	header := strings.Repeat("x", 1<<20)
	for _, s := range []string{header[:5], header} {
		got := unsafe.Pointer(unsafe.StringData(kept(s)))
		from := unsafe.Pointer(unsafe.StringData(header))
		if uintptr(got) >= uintptr(from) && uintptr(got) < uintptr(from)+uintptr(len(header)) {
			t.Errorf("kept(%d bytes) lies within the header", len(s))
		}
	}
}

func TestRequestString(t *testing.T) {
	for _, tt := range []struct{ method, path, want string }{
		{"GET", "/a b", `GET "/a b" (1.5s)`},
		{"M-SEARCH", `/"`, `M-SEARCH "/\"" (1.5s)`},
		{`GET "/a" (1s), DELETE`, "/b", `"GET \"/a\" (1s), DELETE" "/b" (1.5s)`},
		{"", "/", `"" "/" (1.5s)`},
	} {
		if got := (Request{Method: tt.method, Path: tt.path, Age: 1500 * time.Millisecond}).String(); got != tt.want {
			t.Errorf("String() = %s, want %s", got, tt.want)
		}
	}
}

func TestKeepOldest(t *testing.T) {
	var rs []Request
	for i := range 3 * maxListed { // in no order
		rs = keepOldest(rs, Request{Age: time.Duration(i * 7 % (3 * maxListed))})
	}
	if len(rs) != maxListed {
		t.Fatalf("the list has %d, want %d", len(rs), maxListed)
	}
	for i, r := range rs {
		if want := time.Duration(3*maxListed - 1 - i); r.Age != want {
			t.Fatalf("number %d is %d old, want %d", i, r.Age, want)
		}
	}
	equals := keepOldest([]Request{{Path: "a", Age: 1}}, Request{Path: "b", Age: 1})
	if equals[0].Path != "a" || equals[1].Path != "b" {
		t.Errorf("the list is %v, want requests of the same age in the order in which they came", equals)
	}
}

// A Logger that blocks does not let a failing listener fill the memory.
func TestDispatcherIsBounded(t *testing.T) {
	block := make(chan struct{})
	d := newDispatcher(loggerFunc(func(Event) { <-block }))
	for range 3 * maxQueued {
		d.emit(&AcceptRetrying{})
	}
	d.emit(&Stopped{})
	d.mu.Lock()
	n, last := len(d.queue), d.queue[len(d.queue)-1]
	d.mu.Unlock()
	if _, ok := last.(*Stopped); n > maxQueued+1 || !ok {
		t.Errorf("%d events are queued, the last is %T; want at most %d, and *Stopped", n, last, maxQueued+1)
	}
	close(block)
	d.flush(10 * time.Second)
}

// Without a Logger, no event starts the goroutine, which would end at once.
func TestDispatcherWithoutLogger(t *testing.T) {
	d := newDispatcher(nil)
	for range 100 {
		d.emit(&Stopped{})
		d.mu.Lock()
		started := d.idle != nil
		d.mu.Unlock()
		if started {
			t.Fatal("emit() has started a goroutine without a Logger")
		}
	}
}

type loggerFunc func(Event)

func (f loggerFunc) LogEvent(e Event) { f(e) }
