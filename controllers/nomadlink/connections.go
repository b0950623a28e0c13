package nomadlink

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

const (
	// ViewLimit is how old the last answer of Nomad may be. Older ones count as unknown, and unknown is not down.
	ViewLimit = 30 * time.Second
	// credentialsTTL is how long credentials aren't read again.
	credentialsTTL = 5 * time.Second
	// credentialsKept is how long a credentials Secret is remembered after it was last needed. Who needs one looks more
	// often, however long it waits (Refresh).
	credentialsKept = time.Hour
)

// Refresh is how often each pool and each member shows that its Nomad cluster is still of interest, whose watcher
// would end otherwise (internal/nomad: Options.IdleAfter). Nothing is written for it.
const Refresh = 3 * time.Minute

// Clusters hands out the Nomad cluster behind a connection.
type Clusters interface {
	Get(nomad.Connection) nomad.Cluster
}

// Connections finds the Nomad cluster that a pool or a member belongs to. It is a Runnable of controller-runtime's
// manager.
type Connections struct {
	// Reader reads credentials Secrets, uncached: the controller may not list Secrets.
	Reader client.Reader
	// Defaults is the controller's own connection, for what a pool leaves unset.
	Defaults Config
	// ReadDefaults reads it anew, and takes the place of Defaults; nil: it stays as it is.
	ReadDefaults func() (Config, error)
	Clusters     Clusters
	Clock        clock.PassiveClock

	mu      sync.Mutex
	last    lastDefaults
	secrets map[types.NamespacedName]*cachedSecret
}

// lastDefaults is the controller's own connection as it was last read.
type lastDefaults struct {
	conn Config    // the latest that was in order
	err  error     // of the last time
	read time.Time // zero: never
}

type cachedSecret struct {
	secret *corev1.Secret // nil: not found
	// last is what the Secret held when it was last seen; nil: never.
	last       *corev1.Secret
	read, used time.Time
}

// Link is a member's or pool's way to Nomad at one moment.
type Link struct {
	// Where is the address, and the region if one is set; empty while Cluster is nil.
	Where string
	// Cluster is nil when the connection can't be built.
	Cluster nomad.Cluster
	View    nomad.View
	// Known is true when the view is fresh and complete, so that it may be acted upon.
	Known bool
	// NotAsked is true while this process has not asked that Nomad yet, just after it has started.
	NotAsked bool
	// Misconfigured is true if it is not known for the sake of the connection or the token, which a person must mend.
	Misconfigured bool
	// Reason and Message say why it is not known, or that it is, to people.
	Reason, Message string
}

// Link returns the way to Nomad of a pool or member, by its connection. For one that is being deleted a credentials
// Secret that was deleted as well, as with `kubectl delete -f`, is remembered: its nodes are still to be drained. The
// error is about Kubernetes only.
func (c *Connections) Link(ctx context.Context, of client.Object, spec v1alpha1.NomadConnection) (Link, error) {
	var secret *corev1.Secret
	if ref := spec.CredentialsSecretRef; ref != nil {
		var err error
		key := types.NamespacedName{Namespace: of.GetNamespace(), Name: ref.Name}
		if secret, err = c.secret(ctx, key, of.GetDeletionTimestamp() != nil); err != nil {
			return Link{}, err
		}
		if secret == nil {
			return unusable(
				fmt.Sprintf(
					"spec.nomad.credentialsSecretRef: Secret %q doesn't exist; create it with the keys token, ca.crt, tls.crt and tls.key, as far as they are needed.",
					key),
			), nil
		}
	}
	defaults, problem := c.defaults(ctx)
	if problem != nil && (spec.Address == "" || secret == nil) { // with both it needs nothing of the controller's
		return unusable(
			"The controller's own connection to Nomad can't be used: " + strings.ReplaceAll(problem.Error(), "\n", "; ")), nil
	}
	conn, problem := resolve(defaults, spec, secret)
	if problem != nil {
		return unusable(problem.Error()), nil
	}
	cluster := c.Clusters.Get(conn.Connection)
	l := Link{Where: where(conn.Connection), Cluster: cluster, View: cluster.View()}
	l.Known, l.Reason, l.Message = judge(conn, l.View, c.Clock.Now())
	state := l.View.Health.State
	l.NotAsked = state == "" || state == nomad.HealthUnknown
	l.Misconfigured = l.View.Health.Misconfigured()
	return l, nil
}

func where(c nomad.Connection) string {
	if c.Region == "" {
		return c.Address
	}
	return c.Address + ", region " + c.Region
}

// Of is the link as far as it tells of a member. A connection may have been led to another cluster, the controller's
// own too, while the member's guest stays where it joined: that nobody there knows its node says nothing then.
func (l Link) Of(n *v1alpha1.NomadNode) Link {
	seen := n.Status.Nomad.Cluster
	if _, here := l.View.Nodes[n.Spec.NodeID]; !l.Known || here || seen == "" || seen == l.Where {
		return l
	}
	l.Known, l.Reason = false, v1alpha1.ReasonUnreachable
	l.Message = fmt.Sprintf(
		"The node was last seen in the Nomad at %s. The connection leads to %s now, where nobody knows it: lead it back until the member has gone.",
		seen, l.Where)
	return l
}

// unusable is the way to a Nomad that the user has to mend first, as the message says.
func unusable(message string) Link {
	return Link{Misconfigured: true, Reason: v1alpha1.ReasonCredentials, Message: message}
}

// defaults is the controller's own connection. With an error, which names the file or variable to mend, it is the
// latest that was in order.
func (c *Connections) defaults(ctx context.Context) (Config, error) {
	if c.ReadDefaults == nil {
		return c.Defaults, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now, before := c.Clock.Now(), c.last
	if !before.read.IsZero() && now.Sub(before.read) < credentialsTTL {
		return before.conn, before.err
	}
	conn, err := c.ReadDefaults()
	c.last.read, c.last.err = now, err
	if err == nil {
		c.last.conn = conn
	}
	switch {
	case err != nil && (before.err == nil || before.err.Error() != err.Error()):
		log.FromContext(ctx).Info("the controller's own connection to Nomad can't be used", "cause", err.Error())
	case err == nil && before.err != nil:
		log.FromContext(ctx).Info("the controller's own connection to Nomad is in order again")
	}
	return c.last.conn, err
}

// secret is nil if there is none of this name. To who is leaving it is as it was last seen.
func (c *Connections) secret(ctx context.Context, key types.NamespacedName, leaving bool) (*corev1.Secret, error) {
	now := c.Clock.Now()
	if e, ok := c.remembered(key, now); ok {
		return e.forWhom(leaving), nil
	}
	s := &corev1.Secret{}
	switch err := c.Reader.Get(ctx, key, s); {
	case apierrors.IsNotFound(err):
		s = nil
	case err != nil:
		return nil, fmt.Errorf("reading credentials Secret %s: %w", key, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.secrets[key]
	if e == nil {
		if c.secrets == nil {
			c.secrets = map[types.NamespacedName]*cachedSecret{}
		}
		e = &cachedSecret{}
		c.secrets[key] = e
	}
	if s == nil && e.secret != nil {
		log.FromContext(ctx).
			Info("the credentials Secret is gone; what is being deleted uses what it held", "secret", key.String())
	}
	e.secret, e.read, e.used = s, now, now
	if s != nil {
		e.last = s
	}
	return e.forWhom(leaving), nil
}

func (e *cachedSecret) forWhom(leaving bool) *corev1.Secret {
	if e.secret == nil && leaving {
		return e.last
	}
	return e.secret
}

// remembered is what was read a moment ago.
func (c *Connections) remembered(key types.NamespacedName, now time.Time) (cachedSecret, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.secrets[key]
	if e == nil || now.Sub(e.read) >= credentialsTTL {
		return cachedSecret{}, false
	}
	e.used = now
	return *e, true
}

// Start lets go of Secrets that nobody has needed for long, because no pool names them any more, until ctx ends.
func (c *Connections) Start(ctx context.Context) error {
	wait.UntilWithContext(ctx, func(context.Context) { c.forget() }, credentialsKept/10)
	return nil
}

func (c *Connections) forget() {
	now := c.Clock.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.secrets,
		func(_ types.NamespacedName, e *cachedSecret) bool { return now.Sub(e.used) > credentialsKept })
}
