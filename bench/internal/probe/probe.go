package probe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fxshutdown/fxhttp/bench/internal/server"
)

// A Time is how long one stop took.
type Time struct {
	MS     float64 `json:"ms"`
	Killed bool    `json:"killed,omitempty"` // it did not exit, and was killed
	Lost   int     `json:"lost,omitempty"`   // of the slow requests
}

// Stop starts a server, puts the obstacle in its way, and stops it. A server that does not exit is killed.
func Stop(ctx context.Context, o Obstacle, command server.Command, within time.Duration) (Time, error) {
	s, err := server.Start(ctx, command)
	if err != nil {
		return Time{}, err
	}
	defer s.Kill()

	h, err := o.hold(s.Addr)
	if err != nil {
		return Time{}, fmt.Errorf("%s: %w", o.ID, err)
	}
	defer h.release()
	select {
	case <-time.After(o.settle):
	case <-ctx.Done():
		return Time{}, ctx.Err()
	}

	from, err := s.Terminate()
	if err != nil {
		return Time{}, fmt.Errorf("%s: send the signal: %w", o.ID, err)
	}
	end, err := s.Wait(ctx, within)
	var t Time
	switch {
	case errors.Is(err, server.ErrStillRunning):
		t.Killed = true
	case err != nil:
		return Time{}, err
	}
	// Its end closes the connections; what it sent before is still to be read.
	s.Kill()
	h.wg.Wait()
	if !h.answered.IsZero() {
		from, t.Lost = h.answered, h.lost
	}
	// The end of the last response may be seen after that of the process.
	t.MS = max(0, float64(end.Sub(from).Microseconds())/1000)
	return t, nil
}
