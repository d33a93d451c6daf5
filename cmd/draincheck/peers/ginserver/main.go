// Command ginserver is a gin engine on an http.Server that is shut down as gin's
// documentation shows.
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"
)

func main() {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.POST("/", func(c *gin.Context) {
		io.Copy(io.Discard, c.Request.Body)
		c.String(http.StatusOK, "hello\n")
	})
	r.POST("/slow", func(c *gin.Context) {
		time.Sleep(time.Second)
		c.String(http.StatusOK, "done\n")
	})
	srv := &http.Server{Addr: os.Args[1], Handler: r}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			log.Fatal(err)
		}
	}()
	<-ctx.Done()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
}
