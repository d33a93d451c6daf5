package fxhttpadmin

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/fxshutdown/fxhttp"
)

// DefaultAddr is where the admin server listens: on every address of the machine, so that
// a kubelet or a load balancer can probe it. Use [WithAddr]("localhost:8081") where
// probes are local.
const DefaultAddr = ":8081"

// Option is a setting of [Module]. Its String shows it as it was written.
type Option interface {
	fmt.Stringer

	apply(*settings)
}

type settings struct {
	server       []fxhttp.Option
	page         bool
	requests     bool
	pprof        bool
	retire       bool
	auth         func(http.Handler) http.Handler
	checkTimeout time.Duration
	errs         []error
}

type option struct {
	text string
	set  func(*settings)
}

func (o option) String() string    { return "fxhttpadmin." + o.text }
func (o option) apply(s *settings) { o.set(s) }

// WithAddr sets the address of the admin server, as fxhttp.WithAddr does. This and all
// its other settings can also come from an fxhttp.Config with the tag `name:"admin"`, or
// from fxhttp.ProvideNamedOption("admin", …). Default: [DefaultAddr].
func WithAddr(addr string) Option {
	return option{fmt.Sprintf("WithAddr(%q)", addr), func(s *settings) { s.server = append(s.server, fxhttp.WithAddr(addr)) }}
}

// WithCheckTimeout bounds each [Check]. It must be positive. Default:
// [DefaultCheckTimeout].
func WithCheckTimeout(d time.Duration) Option {
	text := fmt.Sprintf("WithCheckTimeout(%v)", d)
	return option{text, func(s *settings) {
		if s.checkTimeout = d; d <= 0 {
			s.errs = append(s.errs, fmt.Errorf("fxhttpadmin.%s: the timeout must be positive", text))
		}
	}}
}

// WithPage adds the live page at /, and /events, which feeds it. Default: no page.
func WithPage() Option { return option{"WithPage()", func(s *settings) { s.page = true }} }

// WithRequests adds /requests; see [Requests]. Default: off.
func WithRequests() Option { return option{"WithRequests()", func(s *settings) { s.requests = true }} }

// WithPprof adds /debug/pprof/; see [Pprof]. Default: off.
func WithPprof() Option { return option{"WithPprof()", func(s *settings) { s.pprof = true }} }

// WithRetire adds /retire; see [Retire]. Default: off.
func WithRetire() Option { return option{"WithRetire()", func(s *settings) { s.retire = true }} }

// WithAuth wraps what WithPage, WithRequests, WithPprof and WithRetire add, but neither
// the probes nor /stats: middleware decides who may see these routes. It is called once
// for each route, when the app is built. Default: everybody who can connect may see them,
// on a loopback address only under a loopback name or address, so that no website can
// lead a browser there (DNS rebinding).
func WithAuth(middleware func(http.Handler) http.Handler) Option {
	return option{fmt.Sprintf("WithAuth(%T)", middleware), func(s *settings) {
		if s.auth = middleware; middleware == nil {
			s.errs = append(s.errs, errors.New("fxhttpadmin.WithAuth: the middleware is nil"))
		}
	}}
}
