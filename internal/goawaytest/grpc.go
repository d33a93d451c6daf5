package main

import (
	"context"
	"crypto/tls"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const grpcMethod = "/goawaytest.Echo/Do"

// newGRPC returns a gRPC server with one unary method. A request is
// "<id> <body>".
func newGRPC(w *work) *grpc.Server {
	g := grpc.NewServer()
	g.RegisterService(&grpc.ServiceDesc{
		ServiceName: "goawaytest.Echo",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{
			MethodName: "Do",
			Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				in := new(wrapperspb.StringValue)
				if err := decode(in); err != nil {
					return nil, err
				}
				number, _, _ := strings.Cut(in.GetValue(), " ")
				id, err := strconv.ParseInt(number, 10, 64)
				if err != nil {
					return nil, err
				}
				w.do(id)
				return in, nil
			},
		}},
	}, nil)
	return g
}

// grpcDriver is grpc-go, with its defaults.
type grpcDriver struct{}

func (grpcDriver) round(spec spec) ([]result, error) {
	creds := insecure.NewCredentials()
	if spec.tls {
		creds = credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})
	}
	cc, err := grpc.NewClient("passthrough:///"+spec.addr, grpc.WithTransportCredentials(creds))
	if err != nil {
		return nil, err
	}
	defer cc.Close()
	return loop(spec, func(ctx context.Context, id int64, body string) error {
		in := wrapperspb.String(strconv.FormatInt(id, 10) + " " + body)
		return cc.Invoke(ctx, grpcMethod, in, new(wrapperspb.StringValue))
	}), nil
}

func (grpcDriver) close() {}
