package proxied

import (
	"testing"

	"github.com/fxshutdown/fxhttp/deploy/internal/recipe"
)

func TestExpand(t *testing.T) {
	r := &Running{
		p:     &Proxy{RunDir: "/run/haproxy"},
		stage: &recipe.Stage{Dir: "/work", CertDir: "/tls"},
		ports: map[string]string{clientPort: "11111", servicePort: "12222", readyPort: "13333"},
	}
	const text = "bind :8000 crt /etc/ssl/site/both.pem; server one 127.0.0.2:8080 port 8081; timeout 80800 18000 /run/haproxy/admin.sock"
	const want = "bind :11111 crt /tls/both.pem; server one 127.0.0.2:12222 port 13333; timeout 80800 18000 /work/admin.sock"
	if got := r.expand(text); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
