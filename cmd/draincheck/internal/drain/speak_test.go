package drain

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/losing"
)

// TestOnlyHTTP2 has servers that speak nothing else.
func TestOnlyHTTP2(t *testing.T) {
	t.Parallel()
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			cfg := Default()
			cfg, _ = prepare(t, cfg, losing.Spec{OnlyHTTP2: true}, p.tls)
			cfg.ReadyPath = ""
			res, err := Run(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			if res.Verdict != Pass || res.Total.Answered == 0 {
				t.Errorf("verdict = %s, total %+v, want %s", res.Verdict, res.Total, Pass)
			}
			for _, k := range res.Kinds {
				if !strings.HasPrefix(k.Name, "h2") && k.Name != "silent" {
					t.Errorf("kind %s, want HTTP/2 only", k.Name)
				}
			}
			if !strings.Contains(strings.Join(res.Notes, "\n"), "speaks only HTTP/2") {
				t.Errorf("notes = %q", res.Notes)
			}
		})
	}
}

// TestHeaderTableSize has servers that announce a smaller table for header compression
// than the usual one, and take a reference beyond it for what it is, an error.
func TestHeaderTableSize(t *testing.T) {
	t.Parallel()
	for _, size := range []uint32{0, 100, 1 << 16} {
		for _, p := range protocols {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				cfg, _ := onlyHTTP2(p.tls, 2)
				cfg, spec := prepare(t, cfg, losing.Spec{HeaderTable: &size}, p.tls)
				cfg.Header.Set("X-Long", strings.Repeat("x", 200))
				res, _ := check1(t, cfg, spec)
				if res.Verdict != Pass || res.Total.AnsweredBefore < 10 {
					t.Errorf("verdict = %s, total %+v, want %s", res.Verdict, res.Total, Pass)
				}
			})
		}
	}
}

func TestGRPC(t *testing.T) {
	t.Parallel()
	ok, unavailable, lost := 0, 14, 3
	for _, tt := range []struct {
		name    string
		spec    losing.Spec
		verdict string
		error   string
	}{
		{"OK", losing.Spec{GRPC: &ok}, Pass, ""},
		{"Lost", losing.Spec{GRPC: &ok, Way: losing.BelowGoAway, N: lost, Concurrency: lost}, Fail, ""},
		{"Unavailable", losing.Spec{GRPC: &unavailable}, Error, "503 Service Unavailable"},
	} {
		for _, p := range protocols {
			t.Run(p.name+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				cfg := Default()
				cfg.H2Concurrency = lost
				if p.tls {
					cfg.H2 = 1
				} else {
					cfg.H2C = 1
				}
				cfg, _ = prepare(t, cfg, tt.spec, p.tls)
				cfg.Late = 0
				cfg.ReadyPath, cfg.GRPCMethod, cfg.Body = "", "/test.Echo/Say", "\x0a\x02hi"
				res, err := Run(t.Context(), cfg)
				if res.Verdict != tt.verdict || (err != nil) != (tt.error != "") || err != nil && !strings.Contains(err.Error(), tt.error) {
					t.Fatalf("Run() = %s, %v, want %s", res.Verdict, err, tt.verdict)
				}
				if res.Verdict == Fail && res.Total.Lost != lost {
					t.Errorf("lost = %d, want %d", res.Total.Lost, lost)
				}
			})
		}
	}
}

func TestGRPCMessage(t *testing.T) {
	if got, want := grpcMessage("abc"), "\x00\x00\x00\x00\x03abc"; got != want {
		t.Errorf("grpcMessage() = %q, want %q", got, want)
	}
	if grpcStatus(0) != 200 || grpcStatus(14) != 503 || grpcStatus(2) != 500 || grpcStatus(99) != 500 {
		t.Error("grpcStatus() maps wrongly")
	}
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	cfg := off(Default())
	cfg.KeepAlive, cfg.H2C, cfg.Silent = 4, 1, 1
	socket := filepath.Join(t.TempDir(), "s")
	cfg, _ = prepare(t, cfg, losing.Spec{Unix: socket, Way: losing.Truncated, N: 2, Victim: losing.KeepAlive}, false)
	cfg.UnixSocket, cfg.URL = socket, "http://localhost/"
	res, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	// Nobody can be turned away from a unix socket, so others may be lost in its queue.
	if n, _ := causeOf(res, Response); n != 2 || res.Address != socket || res.Rounds[0].PortClosed == nil {
		t.Errorf("cut = %d at %q, closed %v, want 2 at %s", n, res.Address, res.Rounds[0].PortClosed, socket)
	}
}

func TestClientCertificate(t *testing.T) {
	t.Parallel()
	for _, give := range []bool{true, false} {
		cfg := off(Default())
		cfg.KeepAlive, cfg.H2 = 2, 1
		cfg, spec := prepare(t, cfg, losing.Spec{}, true)
		spec.ClientCA = spec.Cert
		cfg.Env = []string{spec.Environ()}
		cfg.Ready = tooShort
		if give {
			cfg.Cert, cfg.Key = spec.Cert, spec.Key
			check1(t, cfg, spec)
			continue
		}
		if _, err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("Run() = %v without a certificate, want it to say so", err)
		}
	}
}
