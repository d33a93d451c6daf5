//go:build unix

package main

import (
	"context"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cloudflare/tableflip"
	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/fxshutdown/fxhttp/deploy/reuseport"
)

// serveBare serves as the documentation of net/http, go-systemd and tableflip says.
func serveBare(how, addr, pidFile string, h http.Handler) {
	// The timeouts that fxhttp has by default.
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	end := make(chan os.Signal, 1)
	signal.Notify(end, os.Interrupt, syscall.SIGTERM)
	switch how {
	case "tableflip", "tableflip-forgotten":
		upgrader := must(tableflip.New(tableflip.Options{PIDFile: pidFile}))
		go srv.Serve(must(upgrader.Fds.Listen("tcp", addr)))
		upgradeAtSignal(upgrader)
		if err := upgrader.Ready(); err != nil {
			log.Fatal(err)
		}
		select {
		case <-upgrader.Exit():
		case <-end:
			if how == "tableflip" {
				upgrader.Stop()
			}
		}
	default:
		go srv.Serve(must(listenBare(how, addr)))
		daemon.SdNotify(false, daemon.SdNotifyReady)
		<-end
		daemon.SdNotify(false, daemon.SdNotifyStopping)
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
}

func listenBare(how, addr string) (net.Listener, error) {
	if how != "systemd" {
		return reuseport.Listen("tcp", addr)
	}
	listeners, err := activation.Listeners()
	if err != nil {
		return nil, err
	}
	if len(listeners) > 0 {
		return listeners[0], nil
	}
	return net.Listen("tcp", addr)
}

func upgradeAtSignal(upgrader *tableflip.Upgrader) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	go func() {
		for range hup {
			if err := upgrader.Upgrade(); err != nil {
				log.Print(err)
			}
		}
	}()
}

// listenByTableflip listens through an upgrader that is never stopped.
func listenByTableflip(addr, pidFile string) net.Listener {
	upgrader := must(tableflip.New(tableflip.Options{PIDFile: pidFile}))
	ln := must(upgrader.Fds.Listen("tcp", addr))
	if err := upgrader.Ready(); err != nil {
		log.Fatal(err)
	}
	return ln
}
