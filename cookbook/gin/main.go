// Command gin serves a gin engine, with a clock as server-sent events.
//
// The surprise: a *gin.Context is a context.Context, but not that of the request.
// fxshutdown.Draining(c) compiles and returns nil: the clock then holds each deploy until
// the stop's time is over (13 s) and is cut off, and the process exits with code 1.
package main

import (
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

func main() { fx.New(service()).Run() }

func service() fx.Option {
	return fx.Options(
		fxhttp.Module(fxhttp.WithAddr(":8080")),
		fx.Provide(fx.Annotate(newEngine, fx.As(new(http.Handler)))), // glue: newEngine returns a *gin.Engine
	)
}

func newEngine() *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.POST("/hello", hello)
	e.GET("/clock", clock)
	return e
}

func hello(c *gin.Context) {
	name, err := c.GetRawData()
	if err != nil {
		c.String(http.StatusBadRequest, "%v", err)
		return
	}
	c.String(http.StatusOK, "hello %s", name)
}

func clock(c *gin.Context) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	draining := fxshutdown.Draining(c.Request.Context()) // glue: not Draining(c)
	c.Stream(func(io.Writer) bool {
		select {
		case now := <-tick.C:
			c.SSEvent("tick", now.Format(time.TimeOnly))
			return true
		case <-draining:
			c.SSEvent("goodbye", "come back soon")
			return false
		}
	})
}
