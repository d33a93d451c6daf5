package fxhttp

import (
	"log/slog"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// ZapLogger logs the events of a server through zap, in the words and at the levels of
// [fxshutdown.Describe]. [Module] uses it if the graph has a *zap.Logger; a named
// server's lines carry its name in the field "server".
//
// The encoder of the Logger decides how a duration is written: that of
// [zap.NewProduction] writes seconds.
type ZapLogger struct {
	// Logger must not be nil.
	Logger *zap.Logger

	logLevel   zapcore.Level // the zero value is info level
	errorLevel *zapcore.Level
}

var _ fxshutdown.Logger = (*ZapLogger)(nil)

// UseLogLevel sets the level of ordinary lines, which is info by default. Lines at warn
// level keep it: they report what a stop had to force, or what it lost. Call it before
// the logger is used.
func (l *ZapLogger) UseLogLevel(level zapcore.Level) { l.logLevel = level }

// UseErrorLevel sets the level of lines about errors of the server, which is error by
// default. Call it before the logger is used.
func (l *ZapLogger) UseErrorLevel(level zapcore.Level) { l.errorLevel = &level }

// LogEvent implements [fxshutdown.Logger].
func (l *ZapLogger) LogEvent(event fxshutdown.Event) {
	level, message, attrs := fxshutdown.Describe(event)
	l.Logger.Log(l.level(level), message, zapFields(attrs)...)
}

func (l *ZapLogger) level(level slog.Level) zapcore.Level {
	switch {
	case level >= slog.LevelError && l.errorLevel != nil:
		return *l.errorLevel
	case level >= slog.LevelError:
		return zapcore.ErrorLevel
	case level >= slog.LevelWarn:
		return zapcore.WarnLevel
	}
	return l.logLevel
}

func zapFields(attrs []slog.Attr) []zap.Field {
	fields := make([]zap.Field, len(attrs))
	for i, a := range attrs {
		fields[i] = zapField(a.Key, a.Value.Resolve())
	}
	return fields
}

// zapField returns a value as a field of zap's own kinds, so that the encoder of the
// Logger decides how a duration or an object is written.
func zapField(key string, value slog.Value) zap.Field {
	switch value.Kind() {
	case slog.KindGroup:
		return zap.Object(key, zapObject(value.Group()))
	case slog.KindDuration:
		return zap.Duration(key, value.Duration())
	}
	switch v := value.Any().(type) {
	case error:
		return zap.NamedError(key, v)
	case []fxshutdown.Request:
		objects := make([]zapObject, len(v))
		for i, r := range v {
			objects[i] = r.LogValue().Group()
		}
		return zap.Objects(key, objects)
	default:
		return zap.Any(key, v)
	}
}

// zapObject writes a group of slog attributes as a zap object.
type zapObject []slog.Attr

func (o zapObject) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	for _, f := range zapFields(o) {
		f.AddTo(enc)
	}
	return nil
}
