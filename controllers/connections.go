package controllers

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

const (
	// viewLimit is how old the last answer of Nomad may be. Older ones count as unknown, and unknown is not down.
	viewLimit = 30 * time.Second
	// credentialsTTL is how long a credentials Secret isn't read again.
	credentialsTTL = 5 * time.Second
)

// Clusters hands out the Nomad cluster behind a connection.
type Clusters interface {
	Get(nomad.Connection) nomad.Cluster
}

// Connections finds the Nomad cluster that a pool or a member belongs to.
type Connections struct {
	// Reader reads credentials Secrets, uncached: the controller may not list Secrets.
	Reader client.Reader
	// Defaults is the controller's own connection, for what a pool leaves unset.
	Defaults nomad.Connection
	Clusters Clusters
	Clock    clock.PassiveClock

	mu      sync.Mutex
	secrets map[types.NamespacedName]cachedSecret
}

type cachedSecret struct {
	secret *corev1.Secret // nil: not found
	read   time.Time
}

// Link is a member's or pool's way to Nomad at one moment.
type Link struct {
	// Cluster is nil when the connection can't be built.
	Cluster nomad.Cluster
	View    nomad.View
	// Known is true when the view is fresh and complete, so that it may be acted upon.
	Known bool
	// Reason and Message say why it is not, or that it is.
	Reason, Message string
}

// Link returns the way to Nomad for a connection. The error is about Kubernetes only.
func (c *Connections) Link(ctx context.Context, namespace string, spec v1alpha1.NomadConnection) (Link, error) {
	var secret *corev1.Secret
	if ref := spec.CredentialsSecretRef; ref != nil {
		key := types.NamespacedName{Namespace: namespace, Name: ref.Name}
		s, err := c.secret(ctx, key)
		if err != nil {
			return Link{}, err
		}
		if s == nil {
			return Link{Reason: v1alpha1.ReasonCredentials, Message: fmt.Sprintf("spec.nomad.credentialsSecretRef: Secret %q doesn't exist; create it with the keys token, ca.crt, tls.crt and tls.key, as far as they are needed.", key)}, nil
		}
		secret = s
	}
	conn, err := nomad.Resolve(c.Defaults, spec, secret)
	if err != nil {
		return Link{Reason: v1alpha1.ReasonCredentials, Message: err.Error()}, nil //nolint:nilerr // said in a condition, for the user to mend
	}
	cluster := c.Clusters.Get(conn)
	l := Link{Cluster: cluster, View: cluster.View()}
	l.Known, l.Reason, l.Message = judge(l.View, c.Clock.Now())
	return l, nil
}

func judge(v nomad.View, now time.Time) (bool, string, string) {
	switch {
	case v.Health.Reason == "" && v.Taken.IsZero():
		return false, v1alpha1.ReasonUnknown, "Nomad has not been asked yet."
	case !v.Health.OK:
		return false, v.Health.Reason, v.Health.Message
	case now.Sub(v.Taken) > viewLimit:
		return false, v1alpha1.ReasonUnreachable, "The last answer of Nomad is too old to act upon."
	default:
		return true, v1alpha1.ReasonReachable, "Nomad answers, and the token may see and do what it must."
	}
}

func (c *Connections) secret(ctx context.Context, key types.NamespacedName) (*corev1.Secret, error) {
	now := c.Clock.Now()
	c.mu.Lock()
	if e, ok := c.secrets[key]; ok && now.Sub(e.read) < credentialsTTL {
		c.mu.Unlock()
		return e.secret, nil
	}
	c.mu.Unlock()
	s := &corev1.Secret{}
	switch err := c.Reader.Get(ctx, key, s); {
	case apierrors.IsNotFound(err):
		s = nil
	case err != nil:
		return nil, fmt.Errorf("reading credentials Secret %s: %w", key, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.secrets == nil {
		c.secrets = map[types.NamespacedName]cachedSecret{}
	}
	c.secrets[key] = cachedSecret{s, now}
	return s, nil
}
