package fxshutdown

import (
	"context"
	"net"
	"net/http"
)

// Server runs an http.Server and stops it.
type Server struct{}

func New(srv *http.Server, cfg Config) (*Server, error) { return nil, cfg.Validate() }
func (s *Server) Start(ctx context.Context) error       { return nil }
func (s *Server) Stop(ctx context.Context) error        { return nil }
func (s *Server) Close() error                          { return nil }
func (s *Server) Addr() net.Addr                        { return nil }
func (s *Server) Draining() <-chan struct{}             { return nil }
func (s *Server) Done() <-chan struct{}                 { return nil }
func (s *Server) Err() error                            { return nil }
func (s *Server) Ready() http.Handler                   { return nil }
func (s *Server) Stats() Stats                          { return Stats{} }
func (s *Server) Report() Report                        { return Report{} }
func Draining(ctx context.Context) <-chan struct{}      { return nil }
func (s *Server) HTTPServer() *http.Server              { return nil }
