// Command echo serves an Echo instance, with a clock as server-sent events.
//
// The surprise: Echo is a handler that has servers of its own, such as e.Server. None of
// them runs here: what you set on them (timeouts, RegisterOnShutdown) has no effect, and
// no hook should call e.Start or e.Shutdown. Use options of fxhttp.Module, or the
// *http.Server of the graph, instead.
package main

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

func main() { fx.New(service()).Run() }

func service() fx.Option {
	return fx.Options(
		fxhttp.Module(fxhttp.WithAddr(":8080"), fxhttp.WithReadTimeout(time.Minute)), // glue: not e.Server.ReadTimeout
		fx.Provide(fx.Annotate(newEcho, fx.As(new(http.Handler)))),                   // glue: newEcho returns an *echo.Echo
	)
}

func newEcho() *echo.Echo {
	e := echo.New()
	e.POST("/hello", hello)
	e.GET("/clock", clock)
	return e
}

func hello(c echo.Context) error {
	name, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return echo.NewHTTPError(http.StatusBadRequest).SetInternal(err)
	}
	return c.String(http.StatusOK, "hello "+string(name))
}

func clock(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderContentType, "text/event-stream")
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			fmt.Fprintf(c.Response(), "event: tick\ndata: %s\n\n", now.Format(time.TimeOnly))
			c.Response().Flush()
		case <-fxshutdown.Draining(c.Request().Context()):
			_, err := fmt.Fprint(c.Response(), "event: goodbye\ndata: come back soon\n\n")
			return err
		case <-c.Request().Context().Done():
			return nil
		}
	}
}
