package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad/nomadtest"
)

// The controller works with no token but that of its ServiceAccount, at a Nomad with ACLs and TLS that was set up by the
// commands of docs/install.md. What is missing is named.
func TestTheControllerLogsInToNomad(t *testing.T) {
	server := nomadtest.Start(t, nomad.ServerOptions{ACL: true, TLS: true})
	certificates := map[string][]byte{}
	for key, file := range map[string]string{"ca.crt": server.CACert, "tls.crt": server.ClientCert, "tls.key": server.ClientKey} {
		certificates[key] = contentOf(t, file)
	}
	asDefaultCredentials(t, certificates, map[string]string{"NOMAD_ADDR": server.Addr, "NOMAD_TOKEN": "",
		"AUTH_METHOD": "nomad-harvester"})
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: fixtures.Namespace, Name: "login-tls"}, Data: certificates}
	createObject(t, secret)
	create(t, newPool("login", 0, func(p *v1alpha1.NomadNodePool) {
		p.Spec.Nomad.Servers = []string{server.RPCAddr}
		p.Spec.Nomad.ClientTLSSecretRef = &v1alpha1.SecretRef{Name: secret.Name}
	}))
	refused := func(what, cause string) {
		t.Helper()
		eventually(t, "login", what, time.Minute, reports(v1alpha1.PoolNomadReachable, v1alpha1.ReasonLoginRefused,
			"login refused: "+cause, `"nomad-harvester"`, "docs/install.md"))
	}
	refused("the missing ServiceAccount token to be told", "the file "+authToken)
	// Now the controller has read the credentials anew. Until then a member would be introduced by the other tests' Nomad, and
	// this one never lets it in.
	if err := scale(t, "login", 1); err != nil {
		t.Fatal(err)
	}

	jwt, err := w.Kube.Token(t.Context(), fixtures.ProductNamespace, testenv.ControllerServiceAccount, "nomad")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(authToken, []byte(jwt), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(authToken) })
	refused("the missing auth method to be told", "404")

	asDocumented(t, server)
	eventually(t, "login", "the member to join", 2*time.Minute, both(allReady(1),
		reports(v1alpha1.PoolNomadReachable, v1alpha1.ReasonReachable)))
	tokens, _, err := server.Client.ACLTokens().List(nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(tokens) != 2 { // the other one is the test's
		t.Errorf("%d tokens were made", len(tokens))
	}
	left := members(t, "login")[0]
	if err := scale(t, "login", 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "login", "the member to be drained and purged", 2*time.Minute, allReady(0))
	if node, _, err := server.Client.Nodes().Info(left.Spec.NodeID, nil); err == nil {
		t.Errorf("the node %s is left", node.ID)
	}
	if log, err := os.ReadFile(controller.Spec.LogFile); err != nil || strings.Contains(string(log), jwt) {
		t.Errorf("the log holds the ServiceAccount's token, or can't be read: %v", err)
	}
}

func contentOf(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// asDefaultCredentials gives the controller credentials of its own, for this test.
func asDefaultCredentials(t *testing.T, certificates map[string][]byte, values map[string]string) {
	t.Helper()
	all := map[string][]byte{}
	for key, value := range values {
		all[key] = []byte(value)
	}
	for key, value := range certificates {
		all[key] = value
	}
	for key, value := range all {
		file := filepath.Join(defaultCredentials, key)
		if err := os.WriteFile(file, value, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := os.Remove(file); err != nil {
				t.Error(err)
			}
		})
	}
}

// asDocumented runs the commands of docs/install.md that let the controller log in.
func asDocumented(t *testing.T, server *nomad.Server) {
	t.Helper()
	script := documented(t, "install.md", "auth-method create")
	product, err := w.ProductBinary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	runScript(t, script, map[string]string{"nomad": nomadtest.Bin(t), "nomad-harvester": product}, "NOMAD_ADDR="+server.Addr,
		"NOMAD_TOKEN="+server.Token, "NOMAD_CACERT="+server.CACert, "NOMAD_CLIENT_CERT="+server.ClientCert,
		"NOMAD_CLIENT_KEY="+server.ClientKey)
}
