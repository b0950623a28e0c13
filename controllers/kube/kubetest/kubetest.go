// Package kubetest is what the tests of the controllers share.
package kubetest

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
)

// Client builds a client that knows our kinds, and finds members by the fields that the cache indexes.
func Client() *fake.ClientBuilder {
	b := fake.NewClientBuilder().WithScheme(kube.Scheme())
	for field, of := range kube.NodeIndexes {
		b = b.WithIndex(&v1alpha1.NomadNode{}, field, of)
	}
	return b
}

// Long is more than a condition may hold, as a proxy's page or an overlay with a hundred faults is.
var Long = strings.Repeat("Wörter ", 6000)

// Fits checks that the API server takes a text.
func Fits(t *testing.T, what, text string, limit int) {
	t.Helper()
	if len(text) > limit || !utf8.ValidString(text) {
		t.Errorf("%s has %d bytes, valid: %t", what, len(text), utf8.ValidString(text))
	}
}

// Series counts those of all metrics.
func Series() int {
	n := 0
	for _, c := range kube.Collectors {
		ch := make(chan prometheus.Metric, 1000)
		c.Collect(ch)
		n += len(ch)
	}
	return n
}
