// Command play rolls the Deployment of the manifests in a cluster that it plays on this
// machine, under load, and counts what clients lose:
//
//	go run ./kubernetes/play -rolls 50
//	go run ./kubernetes/play all
//
// Pods are processes of the service beside it, each on a loopback address of its own. The
// parts of Kubernetes that a stop meets are played with the manifest's numbers: the
// controller that replaces pods, the kubelet that probes and ends them (preStop, SIGTERM,
// SIGKILL), the endpoints that are updated late, and kube-proxy, whose rules are real ones of
// nftables in a network namespace of the play's own. The load is draincheck's.
//
// It needs Linux, nft (Debian: nftables), and root or the right to make user namespaces.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fxshutdown/fxhttp/deploy/kubernetes"
)

func main() {
	if url := os.Getenv(triggerVariable); url != "" {
		os.Exit(trigger(url))
	}
	code, done, err := inNamespace()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if done {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit code: 0 if all went as it should, 1 if not, 2 if it could not be
// tried.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("play", flag.ContinueOnError)
	fs.SetOutput(stderr)
	p := &play{}
	fs.IntVar(&p.rollouts, "rolls", 3, "rollouts of each scenario")
	fs.Float64Var(&p.speed, "speed", 1, "divide all times of the manifests, of the service and of the endpoints by this")
	fs.DurationVar(&p.lag, "lag", 2*time.Second, "the longest time from a change of a pod until the rules of the service know it; the shortest is half of it")
	save := fs.Bool("save", false, "save the results in results.json, and write the table of README.md")
	six := fs.Bool("6", false, "use IPv6 instead of IPv4 (needs ip, Debian: iproute2)")
	only := fs.String("server", "", "play only with this server: fxhttp or net/http")
	fs.Usage = func() {
		fmt.Fprintln(stderr, "play [flags] [SCENARIO... | all]")
		fs.PrintDefaults()
		fmt.Fprintln(stderr, "Scenarios:")
		for _, s := range scenarios() {
			fmt.Fprintf(stderr, "  %-18s %s\n", s.name, s.about)
		}
	}
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	if p.family = &ipv4; *six {
		p.family = &ipv6
	}
	chosen, err := choose(fs.Args())
	if err != nil {
		fmt.Fprintln(stderr, err)
		fs.Usage()
		return 2
	}
	bin, err := os.MkdirTemp("", "play")
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	defer os.RemoveAll(bin)
	dir, err := p.prepare(ctx, bin)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	code := 0
	for _, s := range chosen {
		for _, server := range []string{fxHTTP, netHTTP} {
			if server == netHTTP && !s.netHTTP || *only != "" && *only != server {
				continue
			}
			r, err := p.run(ctx, &s, server)
			if err == nil && *save {
				err = keep(dir, r)
			}
			if err != nil {
				fmt.Fprintf(stderr, "%s with %s: %v\n", s.name, server, err)
				return 2
			}
			r.print(stdout)
			if server == fxHTTP && !s.loses && !r.clean() {
				code = 1
			}
		}
	}
	return code
}

func (r *result) print(w io.Writer) {
	fmt.Fprint(w, results{r}.table())
	if r.Causes != "" {
		fmt.Fprintln(w, "lost by:", r.Causes)
	}
	if r.SlowKinds != "" {
		fmt.Fprintln(w, "slow:", r.SlowKinds)
	}
	for _, line := range r.Said {
		fmt.Fprintln(w, line)
	}
}

// prepare reads the manifests and builds the programs into bin. It returns the directory of
// the manifests' package.
func (p *play) prepare(ctx context.Context, bin string) (dir string, err error) {
	switch {
	case p.rollouts < 1:
		return "", fmt.Errorf("-rolls %d: want 1 or more", p.rollouts)
	case !(p.speed > 0):
		return "", fmt.Errorf("-speed %v: want more than 0", p.speed)
	case p.lag < 0:
		return "", fmt.Errorf("-lag %v is negative", p.lag)
	}
	out, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", "github.com/fxshutdown/fxhttp/deploy/kubernetes").Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	dir = strings.TrimSpace(string(out))
	if p.manifests, err = kubernetes.Read(os.DirFS(filepath.Join(dir, "manifests"))); err != nil {
		return "", err
	}
	return dir, p.build(ctx, bin)
}

func choose(names []string) ([]scenario, error) {
	all := scenarios()
	if len(names) == 0 {
		return all[:1], nil // the manifests as they are
	}
	if slices.Equal(names, []string{"all"}) {
		return all, nil
	}
	var chosen []scenario
	for _, name := range names {
		i := slices.IndexFunc(all, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no scenario %q", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// keep merges r into the results of dir.
func keep(dir string, r *result) error {
	file := filepath.Join(dir, "results.json")
	rs, err := readResults(file)
	if err != nil {
		return err
	}
	rs = rs.with(r)
	if err := rs.write(file); err != nil {
		return err
	}
	return intoReadme(filepath.Join(dir, "README.md"), rs.table())
}
