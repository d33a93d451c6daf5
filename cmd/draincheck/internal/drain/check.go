package drain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/process"
)

// errExited means that the command ended before it was told to.
var errExited = errors.New("the command exited by itself")

// A check is a run over several rounds.
type check struct {
	cfg    Config
	target *target
	dialer *dialer
	signal os.Signal

	totals []*recorder // of each kind over all rounds, in the order of their first appearance
}

// Run carries out the check that cfg describes. The result is never nil. The error, which result.Error repeats, says why
// the check could not be carried out; a server that loses requests is no error but a verdict.
//
// Run leaves no process behind, whether it ends by itself or because ctx does.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	res := &Result{Schema: Schema, URL: cfg.URL, Command: cfg.Command, Signal: "SIG" + sigName(cfg.Signal), Kinds: []Kind{}, Rounds: []Round{}}
	c := &check{cfg: cfg}
	err := c.run(ctx, res)
	for _, t := range c.totals {
		res.Kinds = append(res.Kinds, t.kind())
	}
	res.Verdict = Pass
	for _, r := range res.Rounds {
		res.Total.add(r.Total)
		if r.Verdict != Pass {
			res.Verdict = Fail
		}
	}
	if err != nil {
		res.Verdict = Error
		res.Error = err.Error()
		return res, err
	}
	res.Notes = notes(res)
	return res, nil
}

func sigName(name string) string { return strings.TrimPrefix(strings.ToUpper(name), "SIG") }

func (c *check) run(ctx context.Context, res *Result) error {
	if err := c.cfg.Validate(); err != nil {
		return err
	}
	var err error
	if c.signal, err = process.ParseSignal(c.cfg.Signal); err != nil {
		return err
	}
	if c.target, err = resolve(ctx, c.cfg.URL); err != nil {
		return err
	}
	if c.dialer, err = newDialer(c.target, &c.cfg); err != nil {
		return err
	}
	for i := range c.cfg.Rounds {
		r := &round{check: c, clock: &clock{}, Round: Round{Round: i + 1}}
		err := r.run(ctx)
		res.Address = c.target.addr
		if err != nil {
			if c.cfg.Rounds > 1 && ctx.Err() == nil {
				err = fmt.Errorf("round %d: %w", i+1, err)
			}
			return err
		}
		c.addTotals(r.recorders)
		res.Rounds = append(res.Rounds, r.Round)
	}
	return nil
}
