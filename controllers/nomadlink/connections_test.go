package nomadlink

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// dialled notes which connections were asked for.
type dialled struct {
	nomad.Cluster
	last nomad.Connection
}

func (d *dialled) Get(c nomad.Connection) nomad.Cluster { d.last = c; return d }
func (d *dialled) View() nomad.View {
	return nomad.View{Taken: now, Health: nomad.Health{State: nomad.HealthReachable}}
}

// credentials are Connections with one credentials Secret.
func credentials(secret *corev1.Secret) (*Connections, *dialled, *clocktesting.FakePassiveClock, client.Client) {
	clock, d := clocktesting.NewFakePassiveClock(now), &dialled{}
	c := fake.NewClientBuilder().WithScheme(kube.Scheme()).WithObjects(secret).Build()
	return &Connections{
		Reader:   c,
		Clusters: d,
		Clock:    clock,
		Defaults: Config{Connection: nomad.Connection{Address: "http://default:4646"}, Namespaces: allowed{"*/*/*"}, Addresses: allowed{"*"}},
	}, d, clock, c
}

func tokenSecret() *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "creds"},
		Data: map[string][]byte{"token": []byte("theirs")}}
}

var (
	staying    = &v1alpha1.NomadNode{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "stays"}}
	deletedOne = &v1alpha1.NomadNode{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "goes", DeletionTimestamp: &metav1.Time{Time: now}}}
	byRef = v1alpha1.NomadConnection{CredentialsSecretRef: &v1alpha1.SecretRef{Name: "creds"}}
)

// A pool that is deleted together with its credentials is drained all the same. For others the link reports that their
// Secret is gone.
func TestDeletedSecretServesWhatIsBeingDeleted(t *testing.T) {
	secret := tokenSecret()
	c, d, clock, api := credentials(secret)
	link := func(of client.Object) Link {
		t.Helper()
		l, err := c.Link(t.Context(), of, v1alpha1.NomadSpec{NomadConnection: byRef})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	if l := link(staying); !l.Known || d.last.Token != "theirs" {
		t.Fatalf("got %+v by %s", l, d.last)
	}
	if err := api.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	for range 30 {
		clock.SetTime(clock.Now().Add(credentialsExpiry / 10))
		c.forget()
		d.last = nomad.Connection{}
		if l := link(deletedOne); l.Cluster == nil || d.last.Token != "theirs" {
			t.Fatalf("what is being deleted is left with %+v by %s", l, d.last)
		}
		if l := link(staying); l.Cluster != nil || l.Known || l.Reason != v1alpha1.ReasonCredentials ||
			!strings.Contains(l.Message, `Secret "ns/creds" doesn't exist`) {
			t.Fatalf("got %+v", l)
		}
	}

	clock.SetTime(clock.Now().Add(credentialsExpiry + time.Second))
	c.forget()
	if l := link(deletedOne); l.Cluster != nil || len(c.secrets) != 1 {
		t.Errorf("the token was kept while nobody needed it: %+v", l)
	}
}

func TestCredentialsSecretIsReadAgain(t *testing.T) {
	c, d, clock, api := credentials(tokenSecret())
	token := func(after time.Duration) string {
		t.Helper()
		clock.SetTime(clock.Now().Add(after))
		if _, err := c.Link(t.Context(), deletedOne, v1alpha1.NomadSpec{NomadConnection: byRef}); err != nil {
			t.Fatal(err)
		}
		return d.last.Token
	}
	before := token(0)
	next := tokenSecret()
	next.Data["token"] = []byte("next")
	if err := api.Update(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if soon, later := token(credentialsTTL-1), token(1); before != "theirs" || soon != "theirs" || later != "next" {
		t.Errorf("got %q, then %q, then %q", before, soon, later)
	}
}

// The default credentials are read again, and a mistake in them is reported to those that need them, and to no
// others.
func TestDefaultsAreReadAgain(t *testing.T) {
	c, d, clock, _ := credentials(tokenSecret())
	conn, problem, reads := nomad.Connection{Address: "http://default:4646", Token: "first"}, error(nil), 0
	c.ReadDefaults = func() (Config, error) {
		reads++
		return Config{Connection: conn, Namespaces: allowed{"*/*/*"}, Addresses: allowed{"*"}}, problem
	}
	other := v1alpha1.NomadConnection{Address: "http://other:4646", CredentialsSecretRef: byRef.CredentialsSecretRef}
	link := func(spec v1alpha1.NomadConnection) Link {
		t.Helper()
		l, err := c.Link(t.Context(), staying, v1alpha1.NomadSpec{NomadConnection: spec})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	for range 10 {
		if l := link(v1alpha1.NomadConnection{}); !l.Known || d.last.Token != "first" {
			t.Fatalf("got %+v by %s", l, d.last)
		}
	}
	if reads != 1 {
		t.Errorf("read %d times at one moment", reads)
	}

	conn.Token = "second"
	clock.SetTime(clock.Now().Add(credentialsTTL))
	if link(v1alpha1.NomadConnection{}); d.last.Token != "second" {
		t.Errorf("after a rotation the token is %q", d.last.Token)
	}

	conn, problem = nomad.Connection{}, errors.Join(errors.New("key NOMAD_ADDR: it is no URL; use another"),
		errors.New("key ca.crt: x"))
	clock.SetTime(clock.Now().Add(credentialsTTL))
	for _, spec := range []v1alpha1.NomadConnection{{}, {Address: "http://other:4646"}, byRef} {
		if l := link(spec); l.Cluster != nil || l.Reason != v1alpha1.ReasonCredentials ||
			!strings.Contains(l.Message, "controller's own") ||
			!strings.Contains(l.Message, "another; key ca.crt") {
			t.Errorf("got %+v", l)
		}
	}
	if l := link(other); l.Cluster == nil || d.last.Token != "theirs" {
		t.Errorf("who needs nothing of the controller's is left with %+v", l)
	}

	conn, problem = nomad.Connection{Address: "http://default:4646", Token: "third"}, nil
	clock.SetTime(clock.Now().Add(credentialsTTL))
	if l := link(v1alpha1.NomadConnection{}); l.Cluster == nil || d.last.Token != "third" {
		t.Errorf("mended, it is %+v by %s", l, d.last)
	}
}

// However many pools say where one Nomad is, and in however many ways, it is watched once.
func TestPoolsThatSayTheSameShareAWatcher(t *testing.T) {
	c, _, _, _ := credentials(tokenSecret())
	c.Clusters = nomad.NewClusters(nomad.Options{})
	c.Defaults = Config{
		Connection: nomad.Connection{Address: "https://127.0.0.1:1", Token: "theirs"},
		AddressIn:  inDefaultAddress,
		TokenIn:    inDefaultsSecret, Namespaces: allowed{"*/*/*"},
	}
	var links []Link
	for _, spec := range []v1alpha1.NomadConnection{{}, {Address: "https://127.0.0.1:1/"}, byRef} {
		l, err := c.Link(t.Context(), staying, v1alpha1.NomadSpec{NomadConnection: spec})
		if err != nil {
			t.Fatal(err)
		}
		links = append(links, l)
	}
	if links[0].Cluster != links[1].Cluster || links[0].Cluster != links[2].Cluster {
		t.Error("one Nomad is watched more than once")
	}
	other, err := c.Link(t.Context(), staying, v1alpha1.NomadSpec{NomadConnection: v1alpha1.NomadConnection{Region: "other"}})
	if err != nil || other.Cluster == links[0].Cluster {
		t.Errorf("another region has the same watcher, %v", err)
	}
}

// A namespace uses a bounded number of connections, and learns which may go. What leaves isn't kept by that.
func TestNamespaceUsesFewConnections(t *testing.T) {
	c, _, clock, _ := credentials(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "other"}})
	c.Defaults.Addresses = allowed{"*"}
	link := func(namespace, pool string, region int, leaving bool) Link {
		t.Helper()
		var of client.Object = poolNamed(pool)
		if leaving {
			n := memberNamed(pool, "p", pool)
			n.Spec.Drain = &v1alpha1.DrainRequest{}
			of = n
		}
		of.SetNamespace(namespace)
		l, err := c.Link(t.Context(), of, v1alpha1.NomadSpec{NomadConnection: v1alpha1.NomadConnection{
			Address: "http://many:4646", Region: fmt.Sprint("r", region)}})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	for i := range maxConnections {
		for _, pool := range []string{"a", "b"} {
			if l := link("ns", fmt.Sprint(pool, i), i, false); l.Cluster == nil {
				t.Fatalf("%d: %s", i, l.Message)
			}
		}
	}
	l := link("ns", "more", maxConnections, false)
	if l.Cluster != nil || l.Known || l.Reason != v1alpha1.ReasonTooManyConnections ||
		!strings.Contains(l.Message, "namespace ns") || !strings.Contains(l.Message, "spec.nomad.region") {
		t.Errorf("one too many: %s, %s", l.Reason, l.Message)
	}
	if link("ns", "more", 0, false).Cluster == nil {
		t.Error("one that there is can't be shared")
	}
	if link("ns", "leaves", maxConnections, true).Cluster == nil {
		t.Error("a member that leaves isn't drained")
	}
	if link("another", "more", maxConnections, false).Cluster == nil {
		t.Error("another namespace is refused")
	}
	clock.SetTime(clock.Now().Add(2 * usesExpiry))
	c.forget()
	if link("ns", "more", maxConnections+1, false).Cluster == nil {
		t.Error("what nobody uses any more counts")
	}
}
