package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// A ca issues certificates by ACME (RFC 8555) to clients that pass the challenge
// TLS-ALPN-01 (RFC 8737). It has one account, checks no signatures, and decides at once.
type ca struct {
	*httptest.Server
	t     *testing.T
	key   *ecdsa.PrivateKey
	root  *x509.Certificate
	roots *x509.CertPool

	mu         sync.Mutex // guards the fields below
	addr       string     // the address of every name
	thumbprint string     // of the account's key
	orders     []*order   // an order's number is its index
}

type order struct {
	name    string
	isValid bool   // the challenge was passed
	chain   []byte // in PEM, once it has been issued
}

type object = map[string]any

func newCA(t *testing.T) *ca {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c := &ca{t: t, key: key, roots: x509.NewCertPool()}
	if c.root, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	c.roots.AddCert(c.root)

	mux := http.NewServeMux()
	mux.HandleFunc("GET /directory", c.directory)
	mux.HandleFunc("HEAD /nonce", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /account", c.account)
	mux.HandleFunc("POST /order", c.newOrder)
	mux.HandleFunc("POST /order/{n}", c.withOrder(c.showOrder))
	mux.HandleFunc("POST /authorization/{n}", c.withOrder(c.authorization))
	mux.HandleFunc("POST /challenge/{n}", c.withOrder(c.challenge))
	mux.HandleFunc("POST /finalize/{n}", c.withOrder(c.finalize))
	mux.HandleFunc("POST /certificate/{n}", c.withOrder(func(w http.ResponseWriter, _ []byte, _ int, o *order) { w.Write(o.chain) }))
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Replay-Nonce", rand.Text())
		c.mu.Lock()
		defer c.mu.Unlock()
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(c.Close)
	return c
}

// leads sets the address of every name.
func (c *ca) leads(addr string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addr = addr
}

func (c *ca) issued() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.orders {
		if o.chain != nil {
			n++
		}
	}
	return n
}

// The handlers below run with c.mu held.

func (c *ca) directory(w http.ResponseWriter, r *http.Request) {
	reply(w, 200, object{"newNonce": c.URL + "/nonce", "newAccount": c.URL + "/account", "newOrder": c.URL + "/order"})
}

func (c *ca) account(w http.ResponseWriter, r *http.Request) {
	var header struct {
		JWK struct {
			Crv string `json:"crv"` // in the order of RFC 7638
			Kty string `json:"kty"`
			X   string `json:"x"`
			Y   string `json:"y"`
		}
	}
	c.decode(r, &header, new(object))
	jwk, err := json.Marshal(header.JWK)
	if err != nil {
		c.t.Error(err)
	}
	sum := sha256.Sum256(jwk)
	c.thumbprint = base64.RawURLEncoding.EncodeToString(sum[:])
	w.Header().Set("Location", c.URL+"/account/1")
	reply(w, 201, object{"status": "valid"})
}

func (c *ca) newOrder(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Identifiers []struct{ Value string } }
	c.decode(r, new(object), &asked)
	o := &order{name: asked.Identifiers[0].Value}
	c.orders = append(c.orders, o)
	w.Header().Set("Location", c.url("order", len(c.orders)-1))
	reply(w, 201, c.show(len(c.orders)-1, o))
}

// withOrder finds the order that a path names.
func (c *ca) withOrder(serve func(w http.ResponseWriter, payload []byte, n int, o *order)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.PathValue("n"))
		if err != nil || n >= len(c.orders) {
			http.NotFound(w, r)
			return
		}
		serve(w, c.payload(r), n, c.orders[n])
	}
}

func (c *ca) showOrder(w http.ResponseWriter, _ []byte, n int, o *order) { reply(w, 200, c.show(n, o)) }

func (c *ca) show(n int, o *order) object {
	status := "pending"
	if o.chain != nil {
		status = "valid"
	} else if o.isValid {
		status = "ready"
	}
	return object{
		"status": status, "identifiers": []object{{"type": "dns", "value": o.name}}, "authorizations": []string{c.url("authorization", n)},
		"finalize": c.url("finalize", n), "certificate": c.url("certificate", n),
	}
}

func (c *ca) authorization(w http.ResponseWriter, _ []byte, n int, o *order) {
	reply(w, 200, object{"status": statusOf(o), "identifier": object{"type": "dns", "value": o.name}, "challenges": []object{c.challengeOf(n, o)}})
}

// challenge checks the challenge by connecting to the server that has the name.
func (c *ca) challenge(w http.ResponseWriter, _ []byte, n int, o *order) {
	if err := c.validate(o.name, token(n)); err != nil {
		c.t.Errorf("the challenge: %v", err)
	} else {
		o.isValid = true
	}
	reply(w, 200, c.challengeOf(n, o))
}

func (c *ca) validate(name, token string) error {
	conn, err := tls.Dial("tcp", c.addr, &tls.Config{ServerName: name, NextProtos: []string{"acme-tls/1"}, InsecureSkipVerify: true})
	if err != nil {
		return err
	}
	defer conn.Close()
	state := conn.ConnectionState()
	var digest []byte
	for _, e := range state.PeerCertificates[0].Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}) {
			if _, err := asn1.Unmarshal(e.Value, &digest); err != nil {
				return err
			}
		}
	}
	want := sha256.Sum256([]byte(token + "." + c.thumbprint))
	if state.NegotiatedProtocol != "acme-tls/1" || !slices.Equal(digest, want[:]) {
		return fmt.Errorf("it speaks %q and knows the digest %x, want %x", state.NegotiatedProtocol, digest, want)
	}
	return nil
}

// finalize issues a certificate. The first one is already due for renewal.
func (c *ca) finalize(w http.ResponseWriter, payload []byte, n int, o *order) {
	var asked struct{ CSR string }
	if err := json.Unmarshal(payload, &asked); err != nil {
		c.t.Error(err)
	}
	csr, err := x509.ParseCertificateRequest(c.base64(asked.CSR))
	if err != nil {
		c.t.Error(err)
		return
	}
	age := 0
	if n == 0 {
		age = 89
	}
	from := time.Now().AddDate(0, 0, -age)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(n + 2)), DNSNames: csr.DNSNames, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, NotBefore: from, NotAfter: from.AddDate(0, 0, 90),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, c.root, csr.PublicKey, c.key)
	if err != nil {
		c.t.Error(err)
		return
	}
	o.chain = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	reply(w, 200, c.show(n, o))
}

func (c *ca) challengeOf(n int, o *order) object {
	return object{"type": "tls-alpn-01", "url": c.url("challenge", n), "token": token(n), "status": statusOf(o)}
}

func (c *ca) url(what string, n int) string { return fmt.Sprintf("%s/%s/%d", c.URL, what, n) }

func token(n int) string { return fmt.Sprintf("token-%d", n) }

func statusOf(o *order) string {
	if o.isValid {
		return "valid"
	}
	return "pending"
}

// payload returns the payload of a JWS.
func (c *ca) payload(r *http.Request) []byte {
	payload := new(json.RawMessage)
	c.decode(r, new(object), payload)
	return *payload
}

// decode reads the header of a JWS and, unless it is empty, as that of a GET is, the
// payload.
func (c *ca) decode(r *http.Request, header, payload any) {
	var jws struct{ Protected, Payload string }
	if err := json.NewDecoder(r.Body).Decode(&jws); err != nil {
		c.t.Error(err)
	}
	if err := json.Unmarshal(c.base64(jws.Protected), header); err != nil {
		c.t.Error(err)
	}
	if b := c.base64(jws.Payload); len(b) > 0 {
		if err := json.Unmarshal(b, payload); err != nil {
			c.t.Error(err)
		}
	}
}

func (c *ca) base64(s string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		c.t.Error(err)
	}
	return b
}

func reply(w http.ResponseWriter, status int, v object) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}
