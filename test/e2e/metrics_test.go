package e2e

import (
	"net/http"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

// The names of namespaces and pools are nobody's but who may read metrics.
func TestMetricsAreReadWithATokenOnly(t *testing.T) {
	t.Parallel()
	nobodys, err := w.Kube.Token(t.Context(), fixtures.ProductNamespace, testenv.AutoscalerServiceAccount)
	if err != nil {
		t.Fatal(err)
	}
	readers, err := w.MetricsToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		token string
		want  int
	}{
		"no token": {"", http.StatusUnauthorized},
		// So controller-runtime passes it on that Kubernetes doesn't know one.
		"no token of anybody":  {"x", http.StatusInternalServerError},
		"an account unbound":   {nobodys, http.StatusForbidden},
		"an account that may":  {readers, http.StatusOK},
		"the same once more":   {readers, http.StatusOK},
		"and without it again": {"", http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			code, text, err := controller.MetricsWith(t.Context(), c.token)
			if err != nil || code != c.want {
				t.Errorf("got %d, want %d: %v", code, c.want, err)
			}
			if leaked := code != http.StatusOK && len(text) > 200; leaked {
				t.Errorf("the refusal tells\n%s", text)
			}
		})
	}
}

// Who asks without TLS gets nothing, nor does who doesn't know the certificate's CA.
func TestMetricsAreServedByTLS(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{
		"plain":      "http" + controller.MetricsURL[len("https"):],
		"unknown CA": controller.MetricsURL,
	} {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				return
			}
			defer response.Body.Close()
			if response.StatusCode != http.StatusBadRequest {
				t.Errorf("got %s", response.Status)
			}
		})
	}
}
