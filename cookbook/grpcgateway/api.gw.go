package main

import (
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// registerTestService does what protoc-gen-grpc-gateway generates.
func registerTestService(mux *runtime.ServeMux, client pb.TestServiceClient) error {
	err := mux.HandlePath("POST", "/echo", func(w http.ResponseWriter, r *http.Request, _ map[string]string) {
		in, out := runtime.MarshalerForRequest(mux, r)
		ctx, err := runtime.AnnotateContext(r.Context(), mux, r, "/grpc.testing.TestService/UnaryCall")
		if err != nil {
			runtime.HTTPError(ctx, mux, out, w, r, err)
			return
		}
		var request pb.SimpleRequest
		if err := in.NewDecoder(r.Body).Decode(&request); err != nil {
			runtime.HTTPError(ctx, mux, out, w, r, status.Error(codes.InvalidArgument, err.Error()))
			return
		}
		var md runtime.ServerMetadata
		response, err := client.UnaryCall(ctx, &request, grpc.Header(&md.HeaderMD), grpc.Trailer(&md.TrailerMD))
		if err != nil {
			runtime.HTTPError(ctx, mux, out, w, r, err)
			return
		}
		ctx = runtime.NewServerMetadataContext(ctx, md)
		runtime.ForwardResponseMessage(ctx, mux, out, w, r, response)
	})
	if err != nil {
		return err
	}
	return mux.HandlePath("GET", "/clock", func(w http.ResponseWriter, r *http.Request, _ map[string]string) {
		_, out := runtime.MarshalerForRequest(mux, r)
		ctx, err := runtime.AnnotateContext(r.Context(), mux, r, "/grpc.testing.TestService/StreamingOutputCall")
		var stream pb.TestService_StreamingOutputCallClient
		if err == nil {
			stream, err = client.StreamingOutputCall(ctx, &pb.StreamingOutputCallRequest{})
		}
		var md runtime.ServerMetadata
		if err == nil {
			md.HeaderMD, err = stream.Header()
		}
		if err != nil {
			runtime.HTTPError(ctx, mux, out, w, r, err)
			return
		}
		ctx = runtime.NewServerMetadataContext(ctx, md)
		runtime.ForwardResponseStream(ctx, mux, out, w, r, func() (proto.Message, error) { return stream.Recv() })
	})
}
