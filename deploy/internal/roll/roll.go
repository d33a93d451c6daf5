// Package roll rolls the instances of a recipe under the load of draincheck, and counts
// what became of the requests.
package roll

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/fxshutdown/fxhttp/deploy/internal/recipe"
	"github.com/fxshutdown/fxhttp/deploy/internal/results"
	"github.com/fxshutdown/fxhttp/internal/draincheck"
	"github.com/fxshutdown/fxhttp/internal/testcert"
)

// A Runner has what all rolls need. Close removes it.
type Runner struct {
	Log io.Writer // where components' standard errors go; nil: nowhere

	dir        string
	self       string // this program, which the steps of draincheck run
	draincheck string
	example    string
	certDir    string
}

// Prepare builds draincheck and the example service, and makes a certificate.
func Prepare(ctx context.Context) (*Runner, error) {
	dir, err := os.MkdirTemp("", "deploy")
	if err != nil {
		return nil, err
	}
	r := &Runner{dir: dir, example: filepath.Join(dir, "example"), certDir: filepath.Join(dir, "tls")}
	if err := r.prepare(ctx); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Runner) prepare(ctx context.Context) (err error) {
	if r.self, err = os.Executable(); err != nil {
		return err
	}
	if r.draincheck, err = draincheck.Build(ctx, r.dir); err != nil {
		return err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", r.example, "github.com/fxshutdown/fxhttp/example")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the example: %w\n%s", err, out)
	}
	return r.makeCert()
}

// makeCert writes the files that recipe.Stage names.
func (r *Runner) makeCert() error {
	if err := os.Mkdir(r.certDir, 0o755); err != nil {
		return err
	}
	cert, _ := testcert.New()
	certFile, keyFile, err := testcert.Write(r.certDir, cert)
	if err != nil {
		return err
	}
	chain, err := os.ReadFile(certFile)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return err
	}
	return errors.Join(
		os.Rename(certFile, filepath.Join(r.certDir, "fullchain.pem")),
		os.Rename(keyFile, filepath.Join(r.certDir, "privkey.pem")),
		os.WriteFile(filepath.Join(r.certDir, "both.pem"), append(chain, key...), 0o600))
}

// Close removes what Prepare has made.
func (r *Runner) Close() { os.RemoveAll(r.dir) }

// startWithin limits how long everything may take to start.
const startWithin = 30 * time.Second

// Run starts a configuration, rolls it under load, and ends it.
func (r *Runner) Run(ctx context.Context, rec *recipe.Recipe, cfg *recipe.Config, side recipe.Side, rolls int) (*results.Result, error) {
	if cfg.MostRolls > 0 {
		rolls = min(rolls, cfg.MostRolls)
	}
	dir, err := os.MkdirTemp(r.dir, "run")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	stage := filepath.Join(dir, "stage")
	if err := os.Mkdir(stage, 0o755); err != nil {
		return nil, err
	}
	starting, cancel := context.WithTimeout(ctx, startWithin)
	d, err := cfg.Start(starting, &recipe.Stage{Side: side, Dir: stage, Example: r.example, CertDir: r.certDir, Log: r.Log})
	cancel()
	if err != nil {
		return nil, err
	}
	defer d.Close()

	res := &results.Result{Recipe: rec.Name, Config: cfg.Name, Side: string(side), Rolls: rolls,
		Tools: versions(ctx, rec), CPUs: runtime.NumCPU(), Date: time.Now().UTC().Format(time.DateOnly)}
	res.Load[0] = loadAverage()
	s, err := listen(ctx, dir, d, cfg.Instances)
	if err != nil {
		return nil, err
	}
	report, err := r.load(ctx, s.socket, cfg, d.URL(), rolls)
	s.close()
	if stepErr := s.failed(); stepErr != nil {
		return nil, stepErr // which is what draincheck complains about
	}
	if err != nil {
		return nil, err
	}
	res.Load[1] = loadAverage()
	res.Stops = s.sum()
	report.account(res)
	return res, nil
}

// versions asks the tools of a recipe for theirs.
func versions(ctx context.Context, rec *recipe.Recipe) map[string]string {
	all := map[string]string{}
	for _, t := range rec.Needs {
		if len(t.Version) == 0 {
			continue
		}
		// nginx prints it on the standard error.
		out, err := exec.CommandContext(ctx, t.Program, t.Version...).CombinedOutput()
		if err != nil {
			continue
		}
		first, _, _ := strings.Cut(string(out), "\n")
		all[t.Program] = strings.TrimSpace(first)
	}
	return all
}

// loadAverage is that of the last minute, 0 where there is none.
func loadAverage() float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), " ")
	avg, _ := strconv.ParseFloat(first, 64)
	return avg
}
