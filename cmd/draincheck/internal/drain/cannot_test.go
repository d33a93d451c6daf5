package drain

import (
	"strings"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/losing"
)

// tooShort is long enough for the losing server to start on a busy machine, and so to be
// found wanting.
const tooShort = 5 * time.Second

// TestCannotCheck has commands and settings that make a check impossible.
func TestCannotCheck(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		spec  losing.Spec
		https bool
		set   func(*Config)
		want  []string
	}{
		{"WillNotStart", losing.Spec{}, false, func(c *Config) { c.Command = []string{"./no-such-command"} },
			[]string{"start the command", "no-such-command"}},
		{"NeverAnswers", losing.Spec{Mute: true}, false, func(c *Config) { c.Ready = tooShort },
			[]string{"did not answer", "within 5s (-ready)", "last output", "listening on"}},
		{"NeverListens", losing.Spec{}, false, func(c *Config) {
			c.URL = "http://127.0.0.1:1/"
			c.Ready = tooShort
		}, []string{"did not answer", "refused", "last output"}},
		{"NeverReady", losing.Spec{}, false, func(c *Config) { c.ReadyPath, c.Ready = "/nope", tooShort; c.Env[0] = withStatus(c.Env[0]) },
			[]string{"did not answer", "/nope: answered with status 503, want 2xx"}},
		{"ExitsBeforeReady", losing.Spec{Mute: true, ExitAfter: 200 * time.Millisecond}, false, func(c *Config) {},
			[]string{"exited by itself before it was told to stop (exit code 3)", "exiting by itself"}},
		{"ExitsUnderLoad", losing.Spec{ExitAfter: 2 * time.Second}, false, func(c *Config) { c.Load = time.Minute },
			[]string{"exited by itself before it was told to stop (exit code 3)", "exiting by itself"}},
		{"WrongStreamPath", losing.Spec{Status: 404}, false, func(c *Config) { c.Streams, c.StreamPath = 1, "/nothing" },
			[]string{"stream /nothing: answered with status 404, want 200"}},
		{"WrongWebSocketPath", losing.Spec{}, false, func(c *Config) { c.WebSockets, c.WSPath = 1, "/nothing" },
			[]string{"WebSocket /nothing: answered with status 200, want 101"}},
		{"UnknownAuthority", losing.Spec{}, true, func(c *Config) { c.CACert = "" },
			[]string{"certificate", "-cacert FILE", "-insecure"}},
		{"NotTLS", losing.Spec{}, false, func(c *Config) {
			c.URL = strings.Replace(c.URL, "http:", "https:", 1)
			c.Ready = tooShort
		}, []string{"did not answer", "TLS handshake"}},
		{"NoCAFile", losing.Spec{}, true, func(c *Config) { c.CACert = "no-such-file.pem" }, []string{"-cacert", "no-such-file.pem"}},
		{"NotLoopback", losing.Spec{}, false, func(c *Config) { c.URL = "http://192.0.2.1:8080/" },
			[]string{"192.0.2.1", "not a loopback address"}},
		{"NotLoopback6", losing.Spec{}, false, func(c *Config) { c.URL = "http://[2001:db8::1]:8080/" },
			[]string{"2001:db8::1", "not a loopback address"}},
		{"Unspecified", losing.Spec{}, false, func(c *Config) { c.URL = "http://0.0.0.0:8080/" }, []string{"not a loopback address"}},
		{"PortZero", losing.Spec{}, false, func(c *Config) { c.URL = "http://127.0.0.1:0/" }, []string{"not 0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := off(Default())
			cfg.KeepAlive = 2
			cfg, _ = prepare(t, cfg, tt.spec, tt.https)
			if tt.spec.Mute {
				cfg.ReadyPath = ""
			}
			tt.set(&cfg)
			res, err := Run(t.Context(), cfg)
			if err == nil || res.Verdict != Error || res.Error != err.Error() {
				t.Fatalf("Run() = %+v, %v, want an error that the result repeats", res, err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Run() = %q, want %q in it", err, want)
				}
			}
		})
	}
}

func withStatus(environ string) string {
	return strings.Replace(environ, `"Status":0`, `"Status":503`, 1)
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	cfg := off(Default())
	cfg.KeepAlive = 1
	cfg, spec := prepare(t, cfg, losing.Spec{}, false)
	l := listen(t, spec.Addr)
	defer l.Close()
	_, err := Run(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "something already listens on "+spec.Addr) {
		t.Errorf("Run() = %v, want it to notice the other listener", err)
	}
}
