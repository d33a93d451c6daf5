package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// TestProber asks a server whose answers are given, and looks at the verdicts.
func TestProber(t *testing.T) {
	statuses := []int{503, 200, 503, 503, 200, 302, 503, 503, 503}
	var asked atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(asked.Add(1))
		w.WriteHeader(statuses[min(n, len(statuses))-1])
	}))
	defer srv.Close()
	host, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	number, _ := strconv.Atoi(port)
	p := newProber(&corev1.Probe{
		ProbeHandler:     corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/readyz", Port: intstr.FromString("admin")}},
		PeriodSeconds:    1,
		SuccessThreshold: 2,
	}, &corev1.Container{Ports: []corev1.ContainerPort{{Name: "admin", ContainerPort: int32(number)}}}, host, 100)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var verdicts []bool
	p.run(ctx, func(good bool) {
		if verdicts = append(verdicts, good); len(verdicts) == 2 {
			cancel()
		}
	})
	if want := []bool{true, false}; !slices.Equal(verdicts, want) || asked.Load() != 9 {
		t.Errorf("verdicts %v after %d answers, want %v after 9: two that are good, three that are not", verdicts, asked.Load(), want)
	}
}
