package fxshutdown_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log"
	"log/slog"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
	"github.com/fxshutdown/fxhttp/internal/eventtest"
)

func TestDescribe(t *testing.T) {
	seen := make(map[string]bool)
	for _, tt := range eventtest.Cases() {
		seen[strings.TrimPrefix(fmt.Sprintf("%T", tt.Event), "*fxshutdown.")] = true
		t.Run(tt.Name, func(t *testing.T) {
			level, message, attrs := fxshutdown.Describe(tt.Event)
			if level != tt.Level || message != tt.Message {
				t.Errorf("Describe() = %v %q, want %v %q", level, message, tt.Level, tt.Message)
			}
			if got := asMap(attrs); !reflect.DeepEqual(got, tt.Attrs) {
				t.Errorf("attributes = %v\nwant %v", got, tt.Attrs)
			}
		})
	}
	for _, name := range eventTypes(t) {
		if !seen[name] {
			t.Errorf("eventtest.Cases has no %s", name)
		}
	}
}

// asMap returns attributes as eventtest has them.
func asMap(attrs []slog.Attr) map[string]any {
	m := make(map[string]any)
	for _, a := range attrs {
		switch v := a.Value.Resolve().Any().(type) {
		case error:
			m[a.Key] = v.Error()
		case []slog.Attr:
			m[a.Key] = asMap(v)
		case []fxshutdown.Request:
			requests := make([]any, len(v))
			for i, r := range v {
				requests[i] = asMap(r.LogValue().Group())
			}
			m[a.Key] = requests
		default:
			m[a.Key] = v
		}
	}
	return m
}

// eventTypes returns the names of the types in the source that are Events.
func eventTypes(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if ok && f.Recv != nil && f.Name.Name == "describe" {
				names = append(names, f.Recv.List[0].Type.(*ast.StarExpr).X.(*ast.Ident).Name)
			}
		}
	}
	if len(names) < 2 {
		t.Fatalf("the source has the events %v, want more", names)
	}
	return names
}

// TestSlogLogger compares the lines in JSON, in which a duration is text.
func TestSlogLogger(t *testing.T) {
	for _, tt := range eventtest.Cases() {
		t.Run(tt.Name, func(t *testing.T) {
			got := slogLine(t, func(*fxshutdown.SlogLogger) {}, tt.Event)
			want := map[string]any{slog.LevelKey: tt.Level.String(), slog.MessageKey: tt.Message}
			for k, v := range tt.Attrs {
				want[k] = asJSON(v)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("line = %v\nwant %v", got, want)
			}
		})
	}
}

func TestSlogLoggerDefault(t *testing.T) {
	before := slog.Default()
	flags, output := log.Flags(), log.Writer() // SetDefault changes these, and does not restore them
	defer func() {
		slog.SetDefault(before)
		log.SetFlags(flags)
		log.SetOutput(output)
	}()
	var buf bytes.Buffer
	slog.SetDefault(slog.New(slog.NewTextHandler(&buf, nil)))
	new(fxshutdown.SlogLogger).LogEvent(&fxshutdown.Started{})
	if !strings.Contains(buf.String(), `msg="http server started" tls=false`) {
		t.Errorf("slog.Default() logged %q", &buf)
	}
}

func TestSlogLoggerLevels(t *testing.T) {
	const debug, notice = slog.LevelDebug, slog.Level(2)
	for _, tt := range eventtest.Cases() {
		t.Run(tt.Name, func(t *testing.T) {
			levels := map[slog.Level]slog.Level{
				slog.LevelInfo: debug, slog.LevelWarn: slog.LevelWarn, slog.LevelError: notice,
			}
			line := slogLine(t, func(l *fxshutdown.SlogLogger) {
				l.UseLogLevel(debug)
				l.UseErrorLevel(notice)
			}, tt.Event)
			if got, want := line[slog.LevelKey], levels[tt.Level].String(); got != want {
				t.Errorf("level = %v, want %v", got, want)
			}
		})
	}
}

// slogLine returns the line of an event in JSON, without its time.
func slogLine(t *testing.T, use func(*fxshutdown.SlogLogger), e fxshutdown.Event) map[string]any {
	t.Helper()
	var buf bytes.Buffer
	handler := slog.NewJSONHandler(&buf, &slog.HandlerOptions{Level: slog.LevelDebug})
	logger := &fxshutdown.SlogLogger{Logger: slog.New(handler)}
	use(logger)
	logger.LogEvent(e)
	var line map[string]any
	if err := json.Unmarshal(buf.Bytes(), &line); err != nil {
		t.Fatalf("%v in %q", err, &buf)
	}
	delete(line, slog.TimeKey)
	return line
}

// asJSON returns a value of eventtest as it is after JSON.
func asJSON(v any) any {
	switch v := v.(type) {
	case time.Duration:
		return v.String()
	case int64:
		return float64(v)
	case map[string]any:
		m := make(map[string]any)
		for k, v := range v {
			m[k] = asJSON(v)
		}
		return m
	case []any:
		s := make([]any, len(v))
		for i, v := range v {
			s[i] = asJSON(v)
		}
		return s
	}
	return v
}

func TestRequestJSON(t *testing.T) {
	want := fxshutdown.Request{
		Method: "GET", Path: "/", Proto: "HTTP/1.1", RemoteAddr: "192.0.2.1:1",
		Age: 1500 * time.Millisecond, Running: true,
	}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	const wantText = `{"method":"GET","path":"/","proto":"HTTP/1.1","remote":"192.0.2.1:1",` +
		`"running":true,"age":"1.5s"}`
	if string(text) != wantText {
		t.Errorf("Marshal() = %s\nwant %s", text, wantText)
	}
	var got fxshutdown.Request
	if err := json.Unmarshal(text, &got); err != nil || got != want {
		t.Errorf("Unmarshal() = %+v, %v, want %+v", got, err, want)
	}
	for _, wrong := range []string{`{"age":"soon"}`, `{"age":3}`} {
		if err := json.Unmarshal([]byte(wrong), &got); err == nil || got != want {
			t.Errorf("Unmarshal(%s) = %+v, %v, want an error", wrong, got, err)
		}
	}
}
