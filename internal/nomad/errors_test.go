package nomad

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestErrorKinds(t *testing.T) {
	for name, tc := range map[string]struct {
		refusal refusal
		kind    error
	}{
		"permission":          {refusal{code: http.StatusForbidden, body: "Permission denied"}, ErrForbidden},
		"unknown token":       {refusal{code: http.StatusForbidden, body: "ACL token not found"}, ErrForbidden},
		"expired token":       {refusal{code: http.StatusInternalServerError, body: "ACL token expired"}, ErrForbidden},
		"missing, in a write": {refusal{code: http.StatusInternalServerError, body: "node not found"}, ErrNodeNotFound},
		"no leader":           {refusal{code: http.StatusInternalServerError, body: "No cluster leader"}, ErrUnreachable},
		"another server": {refusal{code: http.StatusInternalServerError,
			body: "rpc error: failed to get conn: dial tcp 10.0.0.6:4647: connect: connection refused"}, ErrUnreachable},
		"proxy": {refusal{code: http.StatusBadGateway, body: "<html>"}, ErrUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeServer(t)
			f.refuse["/v1/node/"] = tc.refusal
			err := direct(f).Cordon(t.Context(), nodeA)
			if !errors.Is(err, tc.kind) {
				t.Errorf("got %v", err)
			}
			if !strings.Contains(err.Error(), tc.refusal.body) {
				t.Errorf("%q lost what Nomad said", err)
			}
		})
	}
	f := newFakeServer(t)
	f.refuse["/"] = refusal{code: http.StatusInternalServerError, body: "something else"}
	err := direct(f).Cordon(t.Context(), nodeA)
	for _, kind := range []error{ErrForbidden, ErrNodeNotFound, ErrUnreachable} {
		if err == nil || errors.Is(err, kind) {
			t.Errorf("%v is %v", err, kind)
		}
	}
}

func TestCallerGivingUpIsNotNomadsFault(t *testing.T) {
	f := newFakeServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := direct(f).Cordon(ctx, nodeA); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}

// The text of a cause goes into a condition: nothing in it may differ between two attempts.
func TestCauseIsStable(t *testing.T) {
	at := func(port int, inner error) error {
		return &url.Error{Op: "Get", URL: "http://n", Err: &net.OpError{
			Op: "read", Net: "tcp", Source: &net.TCPAddr{Port: port}, Addr: &net.TCPAddr{Port: 4646}, Err: inner,
		}}
	}
	for want, errs := range map[string][2]error{
		"connection reset by peer": {at(1, syscall.ECONNRESET), at(2, syscall.ECONNRESET)},
		"use of closed":            {at(1, net.ErrClosed), at(2, net.ErrClosed)},
		"no such host: nomad": {at(1,
			&net.DNSError{Name: "nomad", Server: "10.0.0.1:53", IsNotFound: true}),
			at(2, &net.DNSError{Name: "nomad", Server: "10.0.0.2:53", IsNotFound: true})},
		"the name nomad can't be resolved": {at(1,
			&net.DNSError{Name: "nomad", Err: "read udp 10.0.0.1:40000: timeout"}),
			at(2, &net.DNSError{Name: "nomad", Err: "read udp 10.0.0.1:40001: timeout"})},
		"the certificate has expired or is not yet valid": {x509.CertificateInvalidError{Reason: x509.Expired,
			Detail: time.Unix(1, 0).String()},
			x509.CertificateInvalidError{Reason: x509.Expired, Detail: time.Unix(2, 0).String()}},
		"no answer in time":   {fmt.Errorf("1: %w", context.DeadlineExceeded), fmt.Errorf("2: %w", context.DeadlineExceeded)},
		errNoResponse.Error(): {errors.New("invalid character '<'"), errors.New("invalid character 'x'")},
	} {
		if a, b := Cause(errs[0]), Cause(errs[1]); a != b || !strings.Contains(a, want) {
			t.Errorf("%q and %q, want %q", a, b, want)
		}
	}
}

// Nor may it where a server reports its own connections.
func TestCauseIsStableBetweenServers(t *testing.T) {
	f := newFakeServer(t)
	causes := map[string]bool{}
	for _, port := range []int{40006, 51234} {
		f.refuse["/"] = refusal{code: http.StatusInternalServerError,
			body: fmt.Sprintf("rpc error: read tcp 10.0.0.5:%d->10.0.0.6:4647: read: connection reset by peer", port)}
		causes[Cause(direct(f).Cordon(t.Context(), nodeA))] = true
	}
	if len(causes) != 1 || !causes["500 rpc error: read tcp 10.0.0.6:4647: read: connection reset by peer"] {
		t.Errorf("%v", causes)
	}
}

// Answers that come in time, but without end, block a worker no longer than callLimit.
func TestInspectEndsWhateverTheServerAnswers(t *testing.T) {
	const each, policies = 50 * time.Millisecond, 100
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Nomad-Index", "7")
		w.Header().Set("X-Nomad-KnownLeader", "true")
		time.Sleep(each)
		answer := `{}`
		switch r.URL.Path {
		case "/v1/acl/token/self":
			answer = `{"AccessorID":"x","Type":"client"}`
		case "/v1/acl/policies":
			answer = `[{"Name":"p"}` + strings.Repeat(`,{"Name":"p"}`, policies) + `]`
		case "/v1/acl/policy/p":
			answer = `{"RulesJSON":{"Namespaces":[{"Name":"*","Capabilities":["read-job"]}],"Node":{"Policy":"write"}}}`
		}
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()
	began := time.Now()
	_, err := NewClusters(
		Options{RequestTimeout: 500 * time.Millisecond}).Get(Connection{Address: server.URL, Token: "t"}).
		Inspect(t.Context(), nodeA)
	if took := time.Since(began); !errors.Is(err, ErrUnreachable) || took < time.Second || took > 4*time.Second {
		t.Errorf("after %s: %v", took, err)
	}
}
