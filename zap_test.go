package fxhttp_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
	"github.com/fxshutdown/fxhttp/internal/eventtest"
)

var zapLevels = map[slog.Level]zapcore.Level{
	slog.LevelInfo: zap.InfoLevel, slog.LevelWarn: zap.WarnLevel, slog.LevelError: zap.ErrorLevel,
}

// TestZapLogger checks that the fields are of zap's own kinds, and compares the line in
// JSON with that of the slog logger.
func TestZapLogger(t *testing.T) {
	for _, tt := range eventtest.Cases() {
		t.Run(tt.Name, func(t *testing.T) {
			core, logs := observer.New(zap.DebugLevel)
			(&fxhttp.ZapLogger{Logger: zap.New(core)}).LogEvent(tt.Event)
			if logs.Len() != 1 {
				t.Fatalf("logged %v, want one line", logs.All())
			}
			got := logs.All()[0]
			if want := zapLevels[tt.Level]; got.Level != want || got.Message != tt.Message {
				t.Errorf("logged %v %q, want %v %q", got.Level, got.Message, want, tt.Message)
			}
			if fields := got.ContextMap(); !reflect.DeepEqual(fields, tt.Attrs) {
				t.Errorf("fields = %v\nwant %v", fields, tt.Attrs)
			}
			if zap, slog := zapJSON(t, tt.Event), slogJSON(t, tt.Event); !reflect.DeepEqual(zap, slog) {
				t.Errorf("ZapLogger and SlogLogger differ:\n%v\n%v", zap, slog)
			}
		})
	}
}

func TestZapLoggerLevels(t *testing.T) {
	want := maps.Clone(zapLevels)
	want[slog.LevelInfo], want[slog.LevelError] = zap.DebugLevel, zap.WarnLevel
	for _, tt := range eventtest.Cases() {
		core, logs := observer.New(zap.DebugLevel)
		logger := &fxhttp.ZapLogger{Logger: zap.New(core)}
		logger.UseLogLevel(zap.DebugLevel)
		logger.UseErrorLevel(zap.WarnLevel)
		logger.LogEvent(tt.Event)
		if got := logs.All()[0].Level; got != want[tt.Level] {
			t.Errorf("%s: level = %v, want %v", tt.Name, got, want[tt.Level])
		}
	}
}

// TestLevelsOfNamedServer sets levels on loggers of the graph. The copy that has the name
// of the server must keep them.
func TestLevelsOfNamedServer(t *testing.T) {
	var buf lockedBuffer
	core, logs := observer.New(zap.DebugLevel)
	zapLogger := &fxhttp.ZapLogger{Logger: zap.New(core)}
	zapLogger.UseLogLevel(zap.DebugLevel)
	slogLogger := &fxshutdown.SlogLogger{
		Logger: slog.New(slog.NewJSONHandler(&buf, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	slogLogger.UseLogLevel(slog.LevelDebug)
	for _, logger := range []fxshutdown.Logger{zapLogger, slogLogger} {
		app := fx.New(fx.NopLogger,
			fxhttp.Module(fxhttp.WithName("admin"), fxhttp.WithAddr("127.0.0.1:0"), fxhttp.WithHandler(text(""))),
			fx.Supply(fx.Annotate(logger, fx.As(new(fxshutdown.Logger)))))
		start(t, app)
		stop(app, 5*time.Second)
	}
	for line := range strings.Lines(buf.String()) {
		if !strings.Contains(line, `"level":"DEBUG"`) {
			t.Errorf("SlogLogger logged %s, want it at DEBUG", line)
		}
	}
	for _, line := range logs.All() {
		if line.Level != zap.DebugLevel {
			t.Errorf("ZapLogger logged %q at %v, want debug", line.Message, line.Level)
		}
	}
	if buf.String() == "" || logs.Len() == 0 {
		t.Error("a logger logged nothing")
	}
}

// zapJSON and slogJSON return the line that each of the loggers writes for an event.
func zapJSON(t *testing.T, event fxshutdown.Event) map[string]any {
	var buf bytes.Buffer
	encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		MessageKey: slog.MessageKey, LevelKey: slog.LevelKey,
		EncodeLevel: zapcore.CapitalLevelEncoder, EncodeDuration: zapcore.StringDurationEncoder,
	})
	logger := zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&buf), zap.DebugLevel))
	(&fxhttp.ZapLogger{Logger: logger}).LogEvent(event)
	return decode(t, &buf)
}

func slogJSON(t *testing.T, event fxshutdown.Event) map[string]any {
	var buf bytes.Buffer
	handler := slog.NewJSONHandler(&buf, &slog.HandlerOptions{Level: slog.LevelDebug})
	(&fxshutdown.SlogLogger{Logger: slog.New(handler)}).LogEvent(event)
	line := decode(t, &buf)
	delete(line, slog.TimeKey)
	return line
}

func decode(t *testing.T, buf *bytes.Buffer) (line map[string]any) {
	if err := json.Unmarshal(buf.Bytes(), &line); err != nil {
		t.Fatalf("%v in %q", err, buf)
	}
	return line
}
