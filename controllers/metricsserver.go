package controllers

import (
	"crypto/tls"
	"flag"

	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// MetricsConfig is how metrics are served.
type MetricsConfig struct {
	// Address is where to listen; "0": not at all.
	Address string
	// Secure serves them by TLS, to accounts that Kubernetes lets GET the path /metrics.
	Secure bool
	// CertDir holds tls.crt and tls.key; without the two files the certificate is self-signed.
	CertDir string
}

func (c *MetricsConfig) bindFlags(fs *flag.FlagSet) {
	fs.StringVar(&c.Address, "metrics-bind-address", ":8443", "address to serve Prometheus metrics on; 0: none")
	fs.BoolVar(&c.Secure, "metrics-secure", true,
		"serve metrics by TLS, and only to who has a token of Kubernetes with the right to get the path /metrics; false: in plain text, to everybody")
	fs.StringVar(&c.CertDir, "metrics-cert-dir", "",
		"directory with tls.crt and tls.key for the metrics, which are read again when they change; without them, at the start, the certificate is self-signed")
}

func (c MetricsConfig) options() metricsserver.Options {
	o := metricsserver.Options{BindAddress: c.Address, SecureServing: c.Secure, CertDir: c.CertDir}
	if !c.Secure {
		return o
	}
	o.FilterProvider = filters.WithAuthenticationAndAuthorization
	// Without HTTP/2, whose streams are cheap to open and reset, and dear to serve.
	o.TLSOpts = []func(*tls.Config){func(t *tls.Config) { t.NextProtos = []string{"http/1.1"} }}
	return o
}
