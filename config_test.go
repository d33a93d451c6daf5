package fxhttp_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp"
)

// fullConfig returns a Config with every field set, to values that all differ and do not
// contradict each other.
func fullConfig(t *testing.T) fxhttp.Config {
	var c fxhttp.Config
	n := 0
	for f, v := range reflect.ValueOf(&c).Elem().Fields() {
		n++
		switch p := v.Addr().Interface().(type) {
		case *string:
			*p = f.Name
		case *int:
			*p = n
		case *time.Duration:
			*p = time.Duration(n) * 250 * time.Millisecond
		default:
			t.Fatalf("field %s: what is a %v in JSON?", f.Name, f.Type)
		}
	}
	return c
}

func TestConfigJSON(t *testing.T) {
	t.Run("RoundTrip", func(t *testing.T) {
		want := fullConfig(t)
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got fxhttp.Config
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s\nbecame %+v, want %+v", text, got, want)
		}
	})

	t.Run("Keys", func(t *testing.T) {
		text, err := json.MarshalIndent(fullConfig(t), "", " ")
		if err != nil {
			t.Fatal(err)
		}
		const want = `{
 "addr": "Addr",
 "network": "Network",
 "socket_mode": "SocketMode",
 "tls_cert_file": "TLSCertFile",
 "tls_key_file": "TLSKeyFile",
 "read_timeout": "1.5s",
 "read_header_timeout": "1.75s",
 "write_timeout": "2s",
 "idle_timeout": "2.25s",
 "max_header_bytes": 10,
 "max_connections": 11,
 "shutdown_delay": "3s",
 "idle_grace": "3.25s",
 "request_grace": "3.5s",
 "hijack_grace": "3.75s",
 "drain_spread": "4s",
 "max_connection_age": "4.25s",
 "max_connection_age_grace": "4.5s",
 "max_requests_per_connection": 19,
 "drain_timeout": "5s",
 "stop_reserve": "5.25s"
}`
		if string(text) != want {
			t.Errorf("JSON = %s, want %s", text, want)
		}
	})

	t.Run("Tags", func(t *testing.T) {
		for f := range reflect.TypeFor[fxhttp.Config]().Fields() {
			if j, y := f.Tag.Get("json"), f.Tag.Get("yaml"); j != y || !strings.HasSuffix(j, ",omitempty") {
				t.Errorf("%s: the json tag %q and the yaml tag %q should be the same, with omitempty", f.Name, j, y)
			} else if m := f.Tag.Get("mapstructure"); m+",omitempty" != j {
				t.Errorf("%s: the mapstructure tag %q should be as the json tag %q", f.Name, m, j)
			}
		}
	})

	t.Run("Zero", func(t *testing.T) {
		text, err := json.Marshal(fxhttp.Config{})
		if err != nil || string(text) != "{}" {
			t.Errorf("Marshal(Config{}) = %s, %v, want {}", text, err)
		}
	})

	t.Run("KeepsWhatIsNotThere", func(t *testing.T) {
		c := fxhttp.Config{Addr: ":1", IdleGrace: time.Second}
		if err := json.Unmarshal([]byte(`{"idle_grace":"250ms","addr":null}`), &c); err != nil {
			t.Fatal(err)
		}
		if want := (fxhttp.Config{Addr: ":1", IdleGrace: 250 * time.Millisecond}); c != want {
			t.Errorf("Config = %+v, want %+v", c, want)
		}
	})

	t.Run("InALargerStruct", func(t *testing.T) {
		var app struct {
			HTTP fxhttp.Config `json:"http"`
			Name string        `json:"name"`
		}
		if err := json.Unmarshal([]byte(`{"name":"shop","http":{"addr":":1","drain_timeout":"-1s"}}`), &app); err != nil {
			t.Fatal(err)
		}
		if want := (fxhttp.Config{Addr: ":1", DrainTimeout: -time.Second}); app.HTTP != want || app.Name != "shop" {
			t.Errorf("app = %+v, want %+v", app, want)
		}
	})

	for _, tt := range []struct {
		text string
		want []string
	}{
		{`{"adr":":1"}`, []string{"adr: no such setting"}},
		{`{"Addr":":1"}`, []string{"Addr: no such setting"}},
		{`{"idle_grace":250}`, []string{"idle_grace: 250 is not a duration", `want a string such as "250ms"`}},
		{`{"idle_grace":"250"}`, []string{`idle_grace: "250" is not a duration`, `"250ms"`}},
		{`{"addr":8080}`, []string{"addr: ", "number", "string"}},
		{`{"socket_mode":432}`, []string{"socket_mode: ", "number", "string"}},
		{`{"max_header_bytes":"1MB"}`, []string{"max_header_bytes: "}},
		{`{"b":1,"a":1,"idle_grace":true,"addr":1}`, []string{"a: no such", "b: no such", "idle_grace: true", "addr: "}},
		{`[]`, []string{"fxhttp.Config", "array"}},
	} {
		t.Run(tt.text, func(t *testing.T) {
			c := fxhttp.Config{Addr: ":1"}
			wantError(t, json.Unmarshal([]byte(tt.text), &c), tt.want...)
			if want := (fxhttp.Config{Addr: ":1"}); c != want {
				t.Errorf("Config = %+v after the error, want it unchanged", c)
			}
		})
	}
}

func TestConfigValidate(t *testing.T) {
	for _, c := range []fxhttp.Config{
		{},
		{Addr: ":8080"},
		{Addr: "localhost:http"},
		{Addr: "[::1]:0"},
		{Addr: "127.0.0.1:"},
		{Addr: "/run/app.sock", Network: "unix"},
		{IdleGrace: -1, DrainTimeout: -1, ReadTimeout: -1},
		{TLSCertFile: "cert.pem", TLSKeyFile: "key.pem"},
	} {
		if err := c.Validate(); err != nil {
			t.Errorf("%+v: Validate() = %v, want nil", c, err)
		}
	}

	for _, tt := range []struct {
		config fxhttp.Config
		want   []string
	}{
		{fxhttp.Config{Addr: "8080"}, []string{`Addr "8080"`, "host:port or :port"}},
		{fxhttp.Config{Addr: "::1:80"}, []string{`Addr "::1:80"`, "too many colons"}},
		{fxhttp.Config{Addr: ":65536"}, []string{`Addr ":65536"`, "65535"}},
		{fxhttp.Config{Addr: ":-1"}, []string{`Addr ":-1"`, "not a port"}},
		{fxhttp.Config{Addr: ":nonsense"}, []string{`Addr ":nonsense"`, `"nonsense" is not a port`}},
		{fxhttp.Config{Network: "unix"}, []string{"Addr is empty", "unix", "path"}},
		{fxhttp.Config{Network: "unix", Addr: "a\x00b"}, []string{"Addr", "NUL byte"}},
		{fxhttp.Config{Network: "udp"}, []string{`Network "udp"`}},
		{fxhttp.Config{TLSCertFile: "cert.pem"}, []string{`TLSCertFile is "cert.pem"`, "TLSKeyFile"}},
		{fxhttp.Config{TLSKeyFile: "key.pem"}, []string{`TLSKeyFile is "key.pem"`, "TLSCertFile"}},
		{fxhttp.Config{MaxHeaderBytes: -1}, []string{"MaxHeaderBytes -1 is negative"}},
		{fxhttp.Config{MaxRequestsPerConnection: -1}, []string{"MaxRequestsPerConnection -1 is negative"}},
		{fxhttp.Config{DrainSpread: time.Second, DrainTimeout: time.Second}, []string{"DrainSpread 1s", "DrainTimeout 1s"}},
		{fxhttp.Config{SocketMode: "0660"}, []string{`SocketMode 0660 needs Network unix`, `not "tcp"`}},
		{fxhttp.Config{MaxConnections: -1}, []string{"MaxConnections -1 is negative"}},
		{fxhttp.Config{RequestGrace: 1}, []string{"RequestGrace 1ns", "IdleGrace 250ms"}},
		{fxhttp.Config{DrainTimeout: time.Second, HijackGrace: time.Second}, []string{"HijackGrace 1s", "DrainTimeout 1s ends the drain first"}},
		{fxhttp.Config{Addr: "x", Network: "udp", TLSKeyFile: "k", MaxHeaderBytes: -1, DrainTimeout: 1},
			[]string{"Addr", "Network", "TLSKeyFile", "MaxHeaderBytes", "DrainTimeout"}},
	} {
		t.Run(fmt.Sprintf("%+v", tt.config), func(t *testing.T) {
			wantError(t, tt.config.Validate(), tt.want...)
		})
	}
}

func TestConfigSocketMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files of sockets have no mode")
	}
	for text, want := range map[string]string{
		"":       "",
		"0660":   "",
		"0o660":  "",
		"00660":  "",
		"0777":   "",
		"660":    "octal",
		"432":    "octal", // what Viper makes of 0660
		"0":      "octal",
		"0000":   "octal",
		"0680":   "octal",
		"01777":  "octal",
		"-0660":  "octal",
		"0x1b0":  "octal",
		"rw-rw-": "octal",
		" 0660":  "octal",
	} {
		err := fxhttp.Config{Network: "unix", Addr: "/run/app.sock", SocketMode: text}.Validate()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), fmt.Sprintf("SocketMode %q", text)) {
			t.Errorf("SocketMode %q: Validate() = %v, want %q", text, err, want)
		}
	}
	wantError(t, fxhttp.Config{Network: "unix", Addr: "@app", SocketMode: "0660"}.Validate(), `SocketMode "0660"`, `Addr "@app"`, "abstract")
}

// A Config that is accepted, when written and read back, is the same.
func FuzzConfigJSON(f *testing.F) {
	f.Add(`{"addr":":8080","idle_grace":"250ms","max_header_bytes":4096}`)
	f.Add(`{"idle_grace":250}`)
	f.Add(`{"stop_reserve":"-1ns","addr":null}`)
	f.Fuzz(func(t *testing.T, text string) {
		var c, again fxhttp.Config
		if json.Unmarshal([]byte(text), &c) != nil {
			return
		}
		written, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(written, &again); err != nil || again != c {
			t.Errorf("%s reads back as %+v, %v, want %+v", written, again, err, c)
		}
	})
}
