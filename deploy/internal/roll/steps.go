package roll

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fxshutdown/fxhttp/deploy/internal/recipe"
	"github.com/fxshutdown/fxhttp/deploy/internal/results"
)

// draincheck runs commands to stop and start the instance of a round. The commands run
// this program again, which asks the process that has the instances.
const socketVariable = "FXHTTP_DEPLOY_STEP"

// StepIfAsked does a step and exits, if draincheck has started this program for it. Call
// it first in main, and in TestMain of a test that rolls.
func StepIfAsked() {
	socket := os.Getenv(socketVariable)
	if socket == "" {
		return
	}
	if err := step(socket, os.Args[1], os.Getenv("DRAINCHECK_ROUND")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// step asks for "stop" or "start" of a round. The answer is empty, or what went wrong.
func step(socket, what, round string) error {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "%s %s\n", what, round); err != nil {
		return err
	}
	answer, err := io.ReadAll(c)
	if err == nil && len(answer) > 0 {
		err = errors.New(string(answer))
	}
	return err
}

// steps does what step asks for.
type steps struct {
	socket    string
	d         recipe.Deployment
	instances int
	ln        net.Listener
	done      sync.WaitGroup

	mu    sync.Mutex // guards what follows
	stops []recipe.Stopped
	err   error
}

// stepWithin bounds a step.
const stepWithin = time.Minute

func listen(ctx context.Context, dir string, d recipe.Deployment, instances int) (*steps, error) {
	s := &steps{socket: filepath.Join(dir, "step"), d: d, instances: instances}
	var err error
	if s.ln, err = net.Listen("unix", s.socket); err != nil {
		return nil, err
	}
	s.done.Go(func() {
		for {
			c, err := s.ln.Accept()
			if err != nil {
				return // by close
			}
			s.serve(ctx, c)
		}
	})
	return s, nil
}

func (s *steps) close() {
	s.ln.Close()
	s.done.Wait()
}

func (s *steps) serve(ctx context.Context, c net.Conn) {
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(time.Second))
	line := make([]byte, 64)
	n, _ := c.Read(line)
	ctx, cancel := context.WithTimeout(ctx, stepWithin)
	defer cancel()
	if err := s.do(ctx, strings.TrimSpace(string(line[:n]))); err != nil {
		s.mu.Lock()
		s.err = errors.Join(s.err, err)
		s.mu.Unlock()
		io.WriteString(c, err.Error())
	}
}

func (s *steps) do(ctx context.Context, line string) error {
	what, number, _ := strings.Cut(line, " ")
	round, err := strconv.Atoi(number)
	if err != nil || round < 1 {
		return fmt.Errorf("step %q: want stop or start, and a round", line)
	}
	i := (round - 1) % s.instances
	switch what {
	case "stop":
		stopped, err := s.d.Stop(ctx, i)
		if err != nil {
			return fmt.Errorf("stop %d: %w", round, err)
		}
		s.mu.Lock()
		s.stops = append(s.stops, stopped)
		s.mu.Unlock()
		return nil
	case "start":
		if err := s.d.Start(ctx, i); err != nil {
			return fmt.Errorf("start %d: %w", round, err)
		}
		return nil
	}
	return fmt.Errorf("step %q: want stop or start", line)
}

func (s *steps) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *steps) sum() results.Stops {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sum results.Stops
	var took []time.Duration
	for _, stop := range s.stops {
		took = append(took, stop.Took)
		if stop.Failed {
			sum.Failed++
		}
	}
	if sum.Count = len(took); sum.Count == 0 {
		return sum
	}
	slices.Sort(took)
	sum.Median = results.MillisOf((took[(len(took)-1)/2] + took[len(took)/2]) / 2)
	sum.Max = results.MillisOf(took[len(took)-1])
	return sum
}
