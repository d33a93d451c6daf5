package fxhttp

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// Defaults of [Config]'s fields where net/http has none or an unsafe one.
const (
	// DefaultAddr is the default of Addr. Unlike http.Server's own ":http", it needs no
	// privileges.
	DefaultAddr = ":8080"

	// DefaultReadHeaderTimeout bounds how long a client may take to send a
	// request's header; net/http would wait indefinitely. A shorter ReadTimeout
	// replaces it.
	DefaultReadHeaderTimeout = 10 * time.Second

	// DefaultIdleTimeout bounds how long a keep-alive connection may wait for
	// its next request; net/http would wait indefinitely.
	DefaultIdleTimeout = 120 * time.Second
)

// Config holds the settings of a server that are plain data. Read it from a file and put
// it into the graph, or give it to [WithConfig]. The zero value means the defaults.
//
// For every duration, zero means the default and a negative value means none. In JSON and
// YAML (gopkg.in/yaml.v3), a duration is a string such as "250ms", or "-1s" for none.
// JSON rejects keys that are not settings; YAML does so only if its decoder has
// KnownFields. Viper and koanf find the same keys through the mapstructure tags. In a
// larger struct, make Config a field with a name: an embedded one would promote its
// UnmarshalJSON to that struct.
type Config struct {
	// Addr is the address to listen on, "host:port" or ":port", or a path if
	// Network is unix. Default: [DefaultAddr], ":8080".
	Addr string `json:"addr,omitempty" yaml:"addr,omitempty" mapstructure:"addr"`

	// Network is tcp, tcp4, tcp6, unix or unixpacket. Default: tcp.
	Network string `json:"network,omitempty" yaml:"network,omitempty" mapstructure:"network"`

	// SocketMode is the mode of a unix socket's file: permissions in octal, as a string
	// such as "0660". It must begin with 0. That makes 432, which Viper reads from an
	// unquoted 0660, an error. The mode is in force before anybody can connect, whatever
	// the umask. Default: what the umask leaves. It is an error on other networks, with an
	// abstract address, and on Windows. See fxshutdown.Config.SocketMode.
	SocketMode string `json:"socket_mode,omitempty" yaml:"socket_mode,omitempty" mapstructure:"socket_mode"`

	// TLSCertFile and TLSKeyFile are the PEM files of a certificate chain and
	// its key, read once, when the app is built. Default: no TLS.
	TLSCertFile string `json:"tls_cert_file,omitempty" yaml:"tls_cert_file,omitempty" mapstructure:"tls_cert_file"`
	TLSKeyFile  string `json:"tls_key_file,omitempty" yaml:"tls_key_file,omitempty" mapstructure:"tls_key_file"`

	// ReadTimeout bounds the reading of a whole request. Default: none.
	ReadTimeout time.Duration `json:"read_timeout,omitempty" yaml:"read_timeout,omitempty" mapstructure:"read_timeout"`

	// ReadHeaderTimeout bounds the reading of a request's header. Default:
	// [DefaultReadHeaderTimeout] (10 s), or ReadTimeout if that is shorter.
	ReadHeaderTimeout time.Duration `json:"read_header_timeout,omitempty" yaml:"read_header_timeout,omitempty" mapstructure:"read_header_timeout"`

	// WriteTimeout bounds a response, from the end of the request's header.
	// Default: none.
	WriteTimeout time.Duration `json:"write_timeout,omitempty" yaml:"write_timeout,omitempty" mapstructure:"write_timeout"`

	// IdleTimeout bounds the wait for the next request on a connection while
	// the server runs. (IdleGrace is for the stop.) Default: [DefaultIdleTimeout]
	// (120 s).
	IdleTimeout time.Duration `json:"idle_timeout,omitempty" yaml:"idle_timeout,omitempty" mapstructure:"idle_timeout"`

	// MaxHeaderBytes bounds a request's header. Default: 1 MiB,
	// http.DefaultMaxHeaderBytes.
	MaxHeaderBytes int `json:"max_header_bytes,omitempty" yaml:"max_header_bytes,omitempty" mapstructure:"max_header_bytes"`

	// MaxConnections bounds how many connections are open at a time; further clients wait
	// in the kernel's accept queue. Hijacked connections count. Idle ones count until
	// IdleTimeout closes them. The limit also holds during a stop: clients that wait are
	// then answered in turn. See fxshutdown.Config.MaxConnections. Default: no limit. A
	// negative value is an error.
	MaxConnections int `json:"max_connections,omitempty" yaml:"max_connections,omitempty" mapstructure:"max_connections"`

	// ShutdownDelay is how long the server goes on as before once it is told to stop, or
	// receives a signal of [WithUnreadySignals], while its readiness already fails. The
	// server skips the delay, and logs why, if it never had a connection, or if the delay
	// does not fit the stop timeout. Default: none.
	ShutdownDelay time.Duration `json:"shutdown_delay,omitempty" yaml:"shutdown_delay,omitempty" mapstructure:"shutdown_delay"`

	// IdleGrace is how long the client of a connection that waits for a request must be
	// quiet before the stop drops it. Default: [fxshutdown.DefaultIdleGrace] (250 ms).
	IdleGrace time.Duration `json:"idle_grace,omitempty" yaml:"idle_grace,omitempty" mapstructure:"idle_grace"`

	// RequestGrace is the time from the start of the drain after which the contexts of
	// the requests that are still running are cancelled. Default: none, only the end of
	// the budget cancels them.
	RequestGrace time.Duration `json:"request_grace,omitempty" yaml:"request_grace,omitempty" mapstructure:"request_grace"`

	// HijackGrace is the time from the start of the drain after which hijacked
	// connections are closed; the stop then waits for their handlers too. Default: none,
	// only the end of the budget closes them.
	HijackGrace time.Duration `json:"hijack_grace,omitempty" yaml:"hijack_grace,omitempty" mapstructure:"hijack_grace"`

	// DrainSpread is the time over which a stop tells the clients to go, one connection
	// after another, beginning with ShutdownDelay. It takes at most half of the time
	// before the force phase. Default: none, all are told at once. See
	// [fxshutdown.Config].
	DrainSpread time.Duration `json:"drain_spread,omitempty" yaml:"drain_spread,omitempty" mapstructure:"drain_spread"`

	// MaxConnectionAge is the age of a connection, give or take a tenth, at which its
	// client is told to go while the server serves. Default: none.
	MaxConnectionAge time.Duration `json:"max_connection_age,omitempty" yaml:"max_connection_age,omitempty" mapstructure:"max_connection_age"`

	// MaxConnectionAgeGrace is how long requests and hijacked connections may continue
	// after their client has been told to go; then they are cancelled and cut. Default:
	// none, they may continue indefinitely.
	MaxConnectionAgeGrace time.Duration `json:"max_connection_age_grace,omitempty" yaml:"max_connection_age_grace,omitempty" mapstructure:"max_connection_age_grace"`

	// MaxRequestsPerConnection is how many requests a connection carries before its client
	// is told to go. Default: 0, no limit. A negative value is an error.
	MaxRequestsPerConnection int `json:"max_requests_per_connection,omitempty" yaml:"max_requests_per_connection,omitempty" mapstructure:"max_requests_per_connection"`

	// DrainTimeout bounds the drain whatever the app's stop timeout allows.
	// Default: none.
	DrainTimeout time.Duration `json:"drain_timeout,omitempty" yaml:"drain_timeout,omitempty" mapstructure:"drain_timeout"`

	// StopReserve is the part of the stop timeout that the drain leaves to the OnStop
	// hooks after it. Default: a tenth of the time left when the stop begins, at most
	// 2 s. The drain always keeps at least half of that time.
	StopReserve time.Duration `json:"stop_reserve,omitempty" yaml:"stop_reserve,omitempty" mapstructure:"stop_reserve"`
}

// Validate returns a single error that names every field with an unusable value, and
// fields that contradict each other. It does not touch the network or any file.
func (c Config) Validate() error {
	return errors.Join(
		c.checkAddr(),
		c.checkSocketMode(),
		c.checkTLSFiles(),
		c.checkMaxHeaderBytes(),
		c.engine().Validate(),
	)
}

func (c Config) checkAddr() error {
	switch c.Network {
	case "unix", "unixpacket":
		if c.Addr == "" {
			return fmt.Errorf("Addr is empty: the network %s needs the path of a socket", c.Network)
		}
		if strings.ContainsRune(c.Addr, 0) {
			return fmt.Errorf("Addr %q contains a NUL byte, which no path may contain", c.Addr)
		}
		return nil
	}
	if c.Addr == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(c.Addr)
	if err != nil {
		reason := err.Error()
		if ae, ok := errors.AsType[*net.AddrError](err); ok {
			reason = ae.Err
		}
		if strings.HasPrefix(c.Addr, "/") || strings.HasPrefix(c.Addr, "@") {
			return fmt.Errorf("Addr %q is the path of a socket, but Network is %s: set Network to unix", c.Addr, cmp.Or(c.Network, "tcp"))
		}
		return fmt.Errorf("Addr %q: %s: want host:port or :port", c.Addr, reason)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("Addr %q: %q is not a port: want a number up to 65535 or the name of a service", c.Addr, port)
	}
	return nil
}

func (c Config) checkSocketMode() error {
	_, err := c.socketMode()
	if err == nil && c.SocketMode != "" && strings.HasPrefix(c.Network, "unix") && strings.HasPrefix(c.Addr, "@") {
		return fmt.Errorf("SocketMode %q does not fit Addr %q: an abstract address has no file", c.SocketMode, c.Addr)
	}
	return err
}

// socketMode returns SocketMode as a mode, or zero if it is empty.
func (c Config) socketMode() (fs.FileMode, error) {
	if c.SocketMode == "" {
		return 0, nil
	}
	digits, ok := strings.CutPrefix(c.SocketMode, "0")
	mode, err := strconv.ParseUint(strings.TrimPrefix(digits, "o"), 8, 32)
	if !ok || err != nil || mode == 0 || fs.FileMode(mode) > fs.ModePerm {
		return 0, fmt.Errorf("SocketMode %q is not a file mode: want permissions in octal, such as %q", c.SocketMode, "0660")
	}
	return fs.FileMode(mode), nil
}

func (c Config) checkTLSFiles() error {
	switch {
	case c.TLSCertFile != "" && c.TLSKeyFile == "":
		return fmt.Errorf("TLSCertFile is %q, but TLSKeyFile is empty", c.TLSCertFile)
	case c.TLSCertFile == "" && c.TLSKeyFile != "":
		return fmt.Errorf("TLSKeyFile is %q, but TLSCertFile is empty", c.TLSKeyFile)
	}
	return nil
}

func (c Config) checkMaxHeaderBytes() error {
	if c.MaxHeaderBytes < 0 {
		return fmt.Errorf("MaxHeaderBytes %d is negative", c.MaxHeaderBytes)
	}
	return nil
}

// engine returns the settings that the engine has too, and validates.
func (c Config) engine() fxshutdown.Config {
	mode, _ := c.socketMode() // Validate returns the error
	return fxshutdown.Config{
		Network:                  c.Network,
		SocketMode:               mode,
		TLS:                      c.TLSCertFile != "",
		MaxConnections:           c.MaxConnections,
		ShutdownDelay:            c.ShutdownDelay,
		DrainSpread:              c.DrainSpread,
		IdleGrace:                c.IdleGrace,
		RequestGrace:             c.RequestGrace,
		HijackGrace:              c.HijackGrace,
		DrainTimeout:             c.DrainTimeout,
		StopReserve:              c.StopReserve,
		MaxConnectionAge:         c.MaxConnectionAge,
		MaxConnectionAgeGrace:    c.MaxConnectionAgeGrace,
		MaxRequestsPerConnection: c.MaxRequestsPerConnection,
	}
}

// MarshalJSON writes the settings that are not zero, durations as strings.
func (c Config) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for f, v := range reflect.ValueOf(&c).Elem().Fields() {
		if v.IsZero() {
			continue
		}
		value := v.Interface()
		if d, ok := value.(time.Duration); ok {
			value = d.String()
		}
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, ",%q:%s", jsonKey(f), text)
	}
	return append(append([]byte{'{'}, bytes.TrimPrefix(b.Bytes(), []byte{','})...), '}'), nil
}

// UnmarshalJSON sets the fields whose keys are present and leaves the others unchanged. A
// single error names every key that is not a setting, and every value that is not valid.
func (c *Config) UnmarshalJSON(text []byte) error {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(text, &values); err != nil {
		return fmt.Errorf("fxhttp.Config: %w", err)
	}
	var errs []error
	result := *c
	for f, v := range reflect.ValueOf(&result).Elem().Fields() {
		key := jsonKey(f)
		value, ok := values[key]
		if !ok {
			continue
		}
		delete(values, key)
		if err := unmarshalSetting(value, v.Addr().Interface()); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", key, err))
		}
	}
	for key := range values {
		errs = append(errs, fmt.Errorf("%s: no such setting", key))
	}
	if len(errs) > 0 {
		// Sorted, because a map has no order.
		slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return fmt.Errorf("fxhttp.Config: %w", errors.Join(errs...))
	}
	*c = result
	return nil
}

func unmarshalSetting(text json.RawMessage, field any) error {
	d, ok := field.(*time.Duration)
	if !ok || string(text) == "null" {
		return json.Unmarshal(text, field)
	}
	var s string
	if err := json.Unmarshal(text, &s); err == nil {
		if v, err := time.ParseDuration(s); err == nil {
			*d = v
			return nil
		}
	}
	return fmt.Errorf("%s is not a duration: want a string such as %q or %q", text, "250ms", "1m30s")
}

func jsonKey(f reflect.StructField) string {
	key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return key
}
