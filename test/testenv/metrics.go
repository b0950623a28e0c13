package testenv

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube"
)

// MetricsAccount is a service account of the namespace default that may read metrics, after MetricsToken was called.
const MetricsAccount = "reads-metrics"

// metricsCertificate makes a controller's certificate, as cert-manager would, and returns its directory.
func (w *Environment) metricsCertificate(controller string) (string, error) {
	pair, err := w.Kube.CA.Issue(kube.Leaf{Name: controller + "-metrics", CommonName: controller})
	if err != nil {
		return "", err
	}
	dir := filepath.Join(w.Dir, controller+"-metrics-tls")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for file, is := range map[string]string{corev1.TLSCertKey: pair.CertFile, corev1.TLSPrivateKeyKey: pair.KeyFile} {
		if err := os.Symlink(is, filepath.Join(dir, file)); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// MetricsToken makes a token of an account that is bound as docs/metrics.md says.
func (w *Environment) MetricsToken(ctx context.Context) (string, error) {
	in := metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: MetricsAccount}
	for _, o := range []client.Object{
		&corev1.ServiceAccount{ObjectMeta: in},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: MetricsAccount},
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole",
				Name: "nomad-harvester-metrics-reader"},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: in.Namespace, Name: in.Name}},
		},
	} {
		if err := w.Client.Create(ctx, o); err != nil && !apierrors.IsAlreadyExists(err) {
			return "", err
		}
	}
	return w.Kube.Token(ctx, in.Namespace, in.Name)
}

// Metrics are the controller's, read as an account that may. An answer that isn't 200 is an error.
func (c *Controller) Metrics(ctx context.Context) (string, error) {
	token, err := c.environment.MetricsToken(ctx)
	if err != nil {
		return "", fmt.Errorf("metrics: %w", err)
	}
	code, text, err := c.MetricsWith(ctx, token)
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("metrics: %d %s", code, text)
	}
	return text, err
}

// MetricsWith asks for the metrics with any token, or with none.
func (c *Controller) MetricsWith(ctx context.Context, token string) (code int, text string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.MetricsURL, nil)
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(c.environment.Kube.CA.PEM)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	all, err := io.ReadAll(response.Body)
	return response.StatusCode, string(all), err
}
