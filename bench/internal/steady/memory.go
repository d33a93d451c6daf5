package steady

import (
	"context"

	"github.com/fxshutdown/fxhttp/bench/internal/server"
)

// PerConnection returns how many bytes an idle connection holds in the server, after garbage collection.
func PerConnection(ctx context.Context, command server.Command, conns int) (float64, error) {
	s, err := server.Start(ctx, command)
	if err != nil {
		return 0, err
	}
	defer s.Kill()

	// What the first requests allocate once is not a cost of a connection.
	warm, err := dialN(s.Addr, conns/10+1)
	if err != nil {
		return 0, err
	}
	defer closeAll(warm)
	before, err := ask(s.Addr, "/memory")
	if err != nil {
		return 0, err
	}
	idle, err := dialN(s.Addr, conns)
	if err != nil {
		return 0, err
	}
	defer closeAll(idle)
	after, err := ask(s.Addr, "/memory")
	if err != nil {
		return 0, err
	}
	return (after - before) / float64(conns), ctx.Err()
}
