package fxshutdown

import (
	"context"
	"crypto/tls"
	"errors"
	"log"
	"net"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// exported calls f with every exported field of an http.Server.
func exported(srv *http.Server, f func(name string, v reflect.Value)) {
	v := reflect.ValueOf(srv).Elem()
	for i := range v.NumField() {
		if field := v.Type().Field(i); field.IsExported() {
			f(field.Name, v.Field(i))
		}
	}
}

// filled returns a server none of whose exported fields is zero.
func filled(t *testing.T) *http.Server {
	t.Helper()
	srv := new(http.Server)
	exported(srv, func(name string, v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			v.SetString("127.0.0.1:0")
		case reflect.Bool:
			v.SetBool(true)
		case reflect.Int, reflect.Int64:
			v.SetInt(int64(time.Hour))
		case reflect.Pointer:
			v.Set(reflect.New(v.Type().Elem()))
		case reflect.Map:
			v.Set(reflect.MakeMap(v.Type()))
		case reflect.Func:
			v.Set(reflect.MakeFunc(v.Type(), func([]reflect.Value) (results []reflect.Value) {
				for i := range v.Type().NumOut() {
					results = append(results, reflect.Zero(v.Type().Out(i)))
				}
				return results
			}))
		case reflect.Interface:
			v.Set(reflect.ValueOf(http.NotFoundHandler()))
		default:
			t.Fatalf("http.Server.%s is a %v: teach this test to fill it", name, v.Kind())
		}
	})
	return srv
}

// A field that a later version of Go adds must not be forgotten.
func TestCopySettings(t *testing.T) {
	src, dst := filled(t), new(http.Server)
	copySettings(dst, src)
	exported(dst, func(name string, v reflect.Value) {
		if v.IsZero() {
			t.Errorf("http.Server.%s was not copied", name)
		}
	})
}

// park restores what it changes on the user's server.
func TestParkRestores(t *testing.T) {
	srv := filled(t)
	before := new(http.Server)
	copySettings(before, srv)
	p, err := park(srv, func() {}, func() {})
	if err != nil {
		t.Fatal(err)
	}
	exported(srv, func(name string, v reflect.Value) {
		was := reflect.ValueOf(before).Elem().FieldByName(name)
		same := v.Kind() == was.Kind() && v.IsZero() == was.IsZero()
		if v.Kind() == reflect.Func || v.Kind() == reflect.Map || v.Kind() == reflect.Pointer {
			same = v.Pointer() == was.Pointer()
		}
		if !same {
			t.Errorf("http.Server.%s is not the same after park", name)
		}
	})
	p.release()
	srv.Close()
	<-p.ended
}

func TestParkTells(t *testing.T) {
	for name, end := range map[string]struct {
		call    func(*http.Server) error
		wantCut bool
	}{
		"Shutdown": {func(srv *http.Server) error {
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			return srv.Shutdown(ctx)
		}, false},
		"Close": {(*http.Server).Close, true},
	} {
		t.Run(name, func(t *testing.T) {
			told, cut := make(chan struct{}), make(chan struct{})
			srv := new(http.Server)
			p, err := park(srv, func() { close(told) }, func() { close(cut) })
			if err != nil {
				t.Fatal(err)
			}
			err = end.call(srv)
			if !end.wantCut && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Shutdown() = %v while the drain goes on, want its context's error", err)
			}
			if !isClosed(told) {
				t.Error("park was not told")
			}
			if isClosed(cut) != end.wantCut {
				t.Errorf("cut = %v, want %v", isClosed(cut), end.wantCut)
			}
			p.release()
			<-p.ended
			if err := srv.Shutdown(context.Background()); err != nil {
				t.Errorf("Shutdown() = %v after the drain", err)
			}
		})
	}
}

// Close may cut a connection before net/http asks for its context.
func TestConnContextOfCut(t *testing.T) {
	given := new(http.Server)
	h := &hooks{set: &connSet{given: given}}
	cut := tls.Server(nil, nil)
	if got := h.onContext(context.Background(), cut).Value(http.ServerContextKey); got != given {
		t.Errorf("ServerContextKey = %v, want the given server", got)
	}
	h.connContext = func(ctx context.Context, c net.Conn) context.Context {
		if got := ctx.Value(http.ServerContextKey); got != given {
			t.Errorf("ServerContextKey in the hook = %v, want the given server", got)
		}
		if c != cut {
			t.Errorf("the hook got %v, want the connection", c)
		}
		return nil
	}
	if got := h.onContext(context.Background(), cut); got != nil {
		t.Errorf("onContext() = %v, want what the hook returned", got)
	}
}

// The private servers log through the logger that the given server has at that moment: it
// may be set late, and changed.
func TestErrorLogOf(t *testing.T) {
	var early, late, standard strings.Builder
	given := &http.Server{ErrorLog: log.New(&early, "early: ", log.Lshortfile)}
	l := errorLogOf(given)
	l.Print("a line")

	given.ErrorLog = log.New(&late, "late: ", 0)
	l.Print("a line")

	given.ErrorLog = nil
	was := log.Writer()
	log.SetOutput(&standard)
	l.Print("a line")
	log.SetOutput(was)

	if !regexp.MustCompile(`^early: control_test\.go:\d+: a line\n$`).MatchString(early.String()) {
		t.Errorf("early %q, want this file's name", &early)
	}
	if late.String() != "late: a line\n" || !strings.HasSuffix(standard.String(), " a line\n") {
		t.Errorf("late %q, the standard logger %q", &late, &standard)
	}
}
