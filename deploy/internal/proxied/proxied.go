// Package proxied runs two instances of the example service behind a proxy, as if each
// had a host of its own.
package proxied

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/fxshutdown/fxhttp/deploy/internal/child"
	"github.com/fxshutdown/fxhttp/deploy/internal/recipe"
)

// The addresses in the configurations. Two hosts have the same ports, as two machines
// would; when it is tried, free ports take the place of these.
const (
	clientPort  = "8000" // where the proxy listens for clients, on 127.0.0.1
	servicePort = "8080" // of both instances
	readyPort   = "8081" // of their admin servers: /readyz
	certDir     = "/etc/ssl/site"
)

// hosts are those of the instances. All of 127.0.0.0/8 is this machine's on Linux.
var hosts = [2]string{"127.0.0.2", "127.0.0.3"}

// Instances is how many there are.
const Instances = len(hosts)

// away is how long an instance is gone when it is stopped: one that was there again at once
// would hide what a proxy does about servers that are down.
const away = 2 * time.Second

// Streams are flags of draincheck: event streams and WebSockets beside the other clients.
// All are opened before the first stop, so one roll ends them.
var Streams = []string{"-streams", "4", "-stream-path", "/events", "-websockets", "4", "-ws-path", "/clock"}

// A Proxy is a configuration of a proxy, and what the instances behind it need.
type Proxy struct {
	Name  string            // of the program, for messages
	Files map[string]string // its configuration, by file name, with the addresses above

	// Command returns the command that runs the proxy in the foreground, with the files
	// in dir, where it may write, too.
	Command func(dir string) *exec.Cmd

	RunDir     string        // where the configuration has sockets, if any: it becomes dir
	TLS        bool          // its clients speak TLS
	ServiceTLS bool          // it speaks TLS with the instances
	Delay      time.Duration // ShutdownDelay of the instances

	// BeforeStop and AfterStart, if they are there, are what a deployment does besides:
	// to take instance i out before it is stopped, and put it back when it is ready.
	BeforeStop, AfterStart func(ctx context.Context, r *Running, i int) error
}

// Start starts the instances, and then the proxy.
func (p *Proxy) Start(ctx context.Context, stage *recipe.Stage) (recipe.Deployment, error) {
	ports, err := child.Ports(3)
	if err != nil {
		return nil, err
	}
	r := &Running{p: p, stage: stage, ports: map[string]string{}}
	for i, name := range []string{clientPort, servicePort, readyPort} {
		r.ports[name] = strconv.Itoa(ports[i])
	}
	if err := r.start(ctx); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Running is a proxy that runs before its instances.
type Running struct {
	p         *Proxy
	stage     *recipe.Stage
	ports     map[string]string // by those of the configurations
	proxy     *child.Process
	instances [Instances]*child.Process
}

func (r *Running) start(ctx context.Context) error {
	for i := range r.instances {
		if err := r.startInstance(ctx, i); err != nil {
			return err
		}
	}
	for name, text := range r.p.Files {
		if err := os.WriteFile(filepath.Join(r.stage.Dir, name), []byte(r.expand(text)), 0o644); err != nil {
			return err
		}
	}
	cmd := r.p.Command(r.stage.Dir)
	cmd.Stderr = r.stage.Log
	var err error
	if r.proxy, err = child.Start(r.p.Name, cmd); err != nil {
		return err
	}
	return r.proxy.AwaitPort(ctx, net.JoinHostPort("127.0.0.1", r.ports[clientPort]))
}

var ports = regexp.MustCompile(`\b(` + clientPort + "|" + servicePort + "|" + readyPort + `)\b`)

// expand replaces the ports and directories of a configuration by those in use.
func (r *Running) expand(text string) string {
	text = strings.ReplaceAll(text, certDir, r.stage.CertDir)
	if r.p.RunDir != "" {
		text = strings.ReplaceAll(text, r.p.RunDir, r.stage.Dir)
	}
	return ports.ReplaceAllStringFunc(text, func(port string) string { return r.ports[port] })
}

// Dir is where the files of the configuration are, and where the proxy may write.
func (r *Running) Dir() string { return r.stage.Dir }

func (r *Running) startInstance(ctx context.Context, i int) error {
	address := func(port string) string { return net.JoinHostPort(hosts[i], r.ports[port]) }
	args := []string{"-addr", address(servicePort), "-admin", address(readyPort), "-work", "300ms", "-delay", r.p.Delay.String()}
	if r.p.ServiceTLS {
		args = append(args, "-tls")
	}
	if r.stage.Side == recipe.NetHTTP {
		args = append(args, "-bare")
	}
	p, err := child.Start(fmt.Sprintf("instance %d", i+1), exec.Command(r.stage.Example, args...))
	if err != nil {
		return err
	}
	r.instances[i] = p
	return p.AwaitReady(ctx, "http://"+address(readyPort)+"/readyz")
}

// URL implements recipe.Deployment.
func (r *Running) URL() string {
	scheme := "http"
	if r.p.TLS {
		scheme = "https"
	}
	return scheme + "://127.0.0.1:" + r.ports[clientPort]
}

// Stop implements recipe.Deployment.
func (r *Running) Stop(ctx context.Context, i int) (recipe.Stopped, error) {
	if r.p.BeforeStop != nil {
		if err := r.p.BeforeStop(ctx, r, i); err != nil {
			return recipe.Stopped{}, err
		}
	}
	took, failed, err := r.instances[i].Stop(ctx)
	return recipe.Stopped{Took: took, Failed: failed}, err
}

// Start implements recipe.Deployment.
func (r *Running) Start(ctx context.Context, i int) error {
	select {
	case <-time.After(away):
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := r.startInstance(ctx, i); err != nil || r.p.AfterStart == nil {
		return err
	}
	return r.p.AfterStart(ctx, r, i)
}

// Close implements recipe.Deployment.
func (r *Running) Close() {
	if r.proxy != nil {
		r.proxy.Close()
	}
	for _, p := range r.instances {
		if p != nil {
			p.Close()
		}
	}
}
