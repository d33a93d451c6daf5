// Command checktimes says whether the API server takes the manifests of a service, and
// whether their times add up with those of the service:
//
//	go run ./kubernetes/checktimes ./manifests
//
// It prints the sum. If a number is wrong, it names the number and what it must be, and
// exits with 1. The times of the service are read from the environment that the manifest
// gives to its container, or given as flags.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/fxshutdown/fxhttp/deploy/kubernetes"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run returns the exit code: 0 if all is well, 1 if something is wrong with the manifests,
// 2 if something is wrong with the command line.
func run(args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("checktimes", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {
		fmt.Fprintln(stderr, "checktimes [flags] DIRECTORY OF MANIFESTS\n\nA flag that is not given is read from the container's environment, by the name in brackets.")
		fs.PrintDefaults()
	}
	var s kubernetes.Settings
	fs.StringVar(&s.Container, "container", "", "the container that runs the service (the first)")
	times := timesOf(&s)
	for _, t := range times {
		fs.DurationVar(t.value, t.flag, 0, t.usage)
	}
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	if fs.NArg() != 1 {
		fs.Usage()
		return 2
	}
	m, err := kubernetes.Read(os.DirFS(fs.Arg(0)))
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", fs.Arg(0), err)
		return 1
	}
	given := make(map[string]bool)
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for _, t := range times {
		if given[t.flag] || t.env == "" {
			continue
		}
		if err := fromEnv(m, s.Container, t); err != nil {
			fmt.Fprintln(stderr, err)
			return 1
		}
	}
	sum, err := m.Times(s)
	if sum != nil {
		fmt.Fprint(stdout, sum)
		for _, w := range sum.Warnings {
			fmt.Fprintln(stdout, "warning:", w)
		}
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	fmt.Fprintln(stdout, "the times add up")
	return 0
}

// setting is a time of the service.
type setting struct {
	flag, env string
	value     *time.Duration
	usage     string
}

func timesOf(s *kubernetes.Settings) []setting {
	return []setting{
		{"delay", "SHUTDOWN_DELAY", &s.Server.ShutdownDelay, "ShutdownDelay of the server [SHUTDOWN_DELAY]"},
		{"reserve", "STOP_RESERVE", &s.Server.StopReserve, "StopReserve of the server (a tenth of the stop timeout, at most 2s) [STOP_RESERVE]"},
		{"stop-timeout", "STOP_TIMEOUT", &s.StopTimeout, "fx.StopTimeout (15s) [STOP_TIMEOUT]"},
		{"longest", "LONGEST_REQUEST", &s.LongestRequest, "the longest request that must be finished [LONGEST_REQUEST]"},
		{"endpoints", "", &s.EndpointRemoval, "the time from the deletion of a pod until it gets no new connections (3s)"},
		{"prestop", "", &s.PreStop, "how long the preStop hook takes (for a sleep, the time in the manifest)"},
		{"exit", "", &s.Exit, "the time that must be left after the stop timeout (1s)"},
	}
}

// fromEnv reads t from the container's environment, if it is there.
func fromEnv(m *kubernetes.Manifests, container string, t setting) error {
	for _, c := range m.Deployment.Spec.Template.Spec.Containers {
		if c.Name != cmp.Or(container, m.Deployment.Spec.Template.Spec.Containers[0].Name) {
			continue
		}
		for _, e := range c.Env {
			if e.Name == t.env {
				return parse(e, t)
			}
		}
	}
	return nil
}

func parse(e corev1.EnvVar, t setting) error {
	if e.ValueFrom != nil {
		return fmt.Errorf("the value of %s is not in the manifest: give -%s", e.Name, t.flag)
	}
	d, err := time.ParseDuration(e.Value)
	if err != nil {
		return fmt.Errorf("the environment variable %s: %w", e.Name, err)
	}
	*t.value = d
	return nil
}
