package kube

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/ptr"
)

// tokenSeconds is how long service account tokens are valid: a day, longer than any environment lives.
const tokenSeconds = 24 * 60 * 60

// KubeconfigFor writes a kubeconfig with a fresh token of an existing service account.
func (cp *ControlPlane) KubeconfigFor(ctx context.Context, namespace, serviceAccount string) (file string, err error) {
	return cp.KubeconfigVia(ctx, cp.url, namespace, serviceAccount)
}

// KubeconfigVia is KubeconfigFor with another address of the API server, such as a proxy's whose
// certificate is signed by the CA of this environment.
func (cp *ControlPlane) KubeconfigVia(ctx context.Context,
	url, namespace, serviceAccount string) (file string, err error) {
	token, err := cp.Token(ctx, namespace, serviceAccount)
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp(filepath.Join(cp.dir, "kubeconfig"), serviceAccount+"-")
	if err != nil {
		return "", err
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	return f.Name(), cp.writeKubeconfig(f.Name(), url, namespace, &clientcmdapi.AuthInfo{Token: token})
}

// Token requests a bearer token of an existing service account. It is for the audiences, or without one for the API
// server.
func (cp *ControlPlane) Token(ctx context.Context, namespace, serviceAccount string,
	audiences ...string) (string, error) {
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: serviceAccount}}
	request := &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To[int64](tokenSeconds), Audiences: audiences}}
	if err := cp.Client.SubResource("token").Create(ctx, sa, request); err != nil {
		return "", fmt.Errorf("token of service account %s/%s: %w", namespace, serviceAccount, err)
	}
	if cp.secrets == nil {
		return request.Status.Token, nil
	}
	return request.Status.Token, cp.secrets.Add("the token of "+serviceAccount, request.Status.Token)
}

// RESTConfigFor is a client configuration with a fresh token of an existing service account, without
// client-side rate limits.
func (cp *ControlPlane) RESTConfigFor(ctx context.Context, namespace, serviceAccount string) (*rest.Config, error) {
	token, err := cp.Token(ctx, namespace, serviceAccount)
	if err != nil {
		return nil, err
	}
	return &rest.Config{Host: cp.url, BearerToken: token, QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{CAData: cp.CA.PEM}}, nil
}

func (cp *ControlPlane) certKubeconfig(name string, p Pair) (string, error) {
	file := filepath.Join(cp.dir, "kubeconfig", name)
	return file, cp.writeKubeconfig(file, cp.url, "",
		&clientcmdapi.AuthInfo{ClientCertificate: p.CertFile, ClientKey: p.KeyFile})
}

func (cp *ControlPlane) writeKubeconfig(file, url, namespace string, user *clientcmdapi.AuthInfo) error {
	const name = "environment"
	c := clientcmdapi.NewConfig()
	c.Clusters[name] = &clientcmdapi.Cluster{Server: url, CertificateAuthorityData: cp.CA.PEM}
	c.AuthInfos[name] = user
	c.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name, Namespace: namespace}
	c.CurrentContext = name
	if err := clientcmd.WriteToFile(*c, file); err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	return nil
}
