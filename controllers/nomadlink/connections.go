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
	// ViewLimit is how old the last list of Nomad's nodes may be. An older one counts as unknown, and unknown is not down.
	// While all is well it is as old as a list waits for a change, and some more until that is answered (internal/nomad:
	// Options.PollNodes).
	ViewLimit = time.Minute
	// ActLimit is how old it may be for members to be chosen by it that leave or stay. It is listed anew for that.
	ActLimit = 30 * time.Second
	// AllocationsLimit is how old the last list of allocations may be.
	AllocationsLimit = 30 * time.Second
	// credentialsTTL is how long credentials are cached.
	credentialsTTL = 5 * time.Second
	// credentialsExpiry is how long a credentials Secret is kept after it was last needed. Pools and members that need it
	// ask for it more often (Refresh).
	credentialsExpiry = time.Hour
)

// Refresh is how often each pool and each member uses its Nomad cluster. Otherwise the cluster's watcher would end
// (internal/nomad: Options.IdleAfter). Nothing is written for it.
const Refresh = 3 * time.Minute

// Clusters returns the Nomad cluster of a connection.
type Clusters interface {
	Get(nomad.Connection) nomad.Cluster
}

// Connections finds the Nomad cluster that a pool or a member belongs to. It is a Runnable of controller-runtime's
// manager.
type Connections struct {
	// Reader reads credentials Secrets, uncached: the controller may not list Secrets.
	Reader client.Reader
	// Defaults is the controller's default connection, for what a pool leaves unset.
	Defaults Config
	// ReadDefaults reads the default connection again, and is used instead of Defaults; nil: Defaults never changes.
	ReadDefaults func() (Config, error)
	Clusters     Clusters
	Clock        clock.PassiveClock

	mu      sync.Mutex
	last    lastDefaults
	secrets map[types.NamespacedName]*cachedSecret
	uses    uses
}

// lastDefaults is the default connection as it was last read.
type lastDefaults struct {
	conn Config    // the latest that was read without an error
	err  error     // of the last time
	read time.Time // zero: never
}

type cachedSecret struct {
	secret *corev1.Secret // nil: not found
	// last is the Secret as it was last found; nil: never.
	last       *corev1.Secret
	read, used time.Time
}

// Link is the Nomad cluster of a pool or member, with its state at one moment.
type Link struct {
	// Where is the address, and the region if one is set; empty while Cluster is nil.
	Where string
	// Former is true if it is the Nomad of a member's spec.formerNomad, because the member's node was found there.
	Former bool
	// Cluster is nil when the connection can't be built.
	Cluster nomad.Cluster
	View    nomad.View
	// Known is true when the view is fresh and complete, so that it may be acted upon.
	Known bool
	// NotAsked is true while this process has not asked that Nomad yet, just after it has started.
	NotAsked bool
	// Misconfigured is true if it isn't known because of the connection or the token, which a person must mend.
	Misconfigured bool
	// Reason and Message are those of the condition: why it is not known, or that it is.
	Reason, Message string
}

// Aged is true if the view is too old to choose members by it.
func (l Link) Aged(now time.Time) bool { return now.Sub(l.View.Taken) > ActLimit }

// Link returns the Nomad cluster of a pool or member, by its spec.nomad. If the pool or member is being deleted and its
// credentials Secret is gone, as after `kubectl delete -f`, the Secret's last content is used, because the nodes still
// have to be drained. The error is about Kubernetes only.
//
// Of a member that nobody has seen in Nomad yet, and whose address was changed since its servers were given, the former
// Nomad is asked too: it is the one that the guest may have joined.
func (c *Connections) Link(ctx context.Context, of client.Object, in v1alpha1.NomadSpec) (Link, error) {
	l, err := c.link(ctx, of, in, false)
	n, ok := of.(*v1alpha1.NomadNode)
	if err != nil || !ok || n.Spec.FormerNomad == nil {
		return l, err
	}
	if _, here := l.View.Nodes[n.Spec.NodeID]; here {
		return l, nil
	}
	in.NomadConnection = n.Spec.FormerNomad.NomadConnection
	former, err := c.link(ctx, of, in, true)
	if err != nil {
		return Link{}, err
	}
	return l.or(former, n), nil
}

func (c *Connections) link(ctx context.Context, of client.Object, in v1alpha1.NomadSpec, former bool) (Link, error) {
	spec := in.NomadConnection
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
	if problem != nil && (spec.Address == "" || secret == nil) { // with both it needs nothing of the default connection
		return unusable(
			"The controller's own connection to Nomad can't be used: " + strings.ReplaceAll(problem.Error(), "\n", "; ")), nil
	}
	asks := askerOf(of, in.NodePool)
	conn, problem := poolConnection(defaults, asks, spec, secret)
	if problem != nil {
		return unusable(problem.Error()), nil
	}
	cluster := c.uses.note(of, former, placeOf(conn, spec), asks.leaves, c.Clock.Now(),
		func() nomad.Cluster { return c.Clusters.Get(conn.Connection) })
	if cluster == nil {
		return tooManyConnections(of.GetNamespace()), nil
	}
	l := Link{Where: where(conn.Connection), Cluster: cluster, View: cluster.View()}
	l.Known, l.Reason, l.Message = judge(conn, l.View, c.Clock.Now())
	state := l.View.Health.State
	l.NotAsked = state == "" || state == nomad.HealthUnknown
	l.Misconfigured = l.View.Health.Misconfigured()
	return l, nil
}

// ForgetPool has a pool that is gone use no connection any more.
func (c *Connections) ForgetPool(name types.NamespacedName) { c.uses.gone(user{name: name}) }

// ForgetMember is the same for a member.
func (c *Connections) ForgetMember(name types.NamespacedName) {
	c.uses.gone(user{member: true, name: name})
	c.uses.gone(user{member: true, name: name, former: true})
}

func where(c nomad.Connection) string {
	if c.Region == "" {
		return c.Address
	}
	return c.Address + ", region " + c.Region
}

// Of is the link for a member. The connection may have been changed to another cluster, while the member's guest stays
// in the one that it joined. If the node is missing in the new cluster, then its state is unknown.
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

func placeOf(conn Config, spec v1alpha1.NomadConnection) place {
	to := place{address: conn.Address, region: conn.Region}
	if spec.CredentialsSecretRef != nil {
		to.secret = spec.CredentialsSecretRef.Name
	}
	return to
}

func tooManyConnections(namespace string) Link {
	return Link{Misconfigured: true, Reason: v1alpha1.ReasonTooManyConnections, Message: fmt.Sprintf(
		"The pools and members of namespace %s use %d connections to Nomad already, which differ in spec.nomad.address, "+
			"spec.nomad.region or spec.nomad.credentialsSecretRef, and no namespace may use more; have pools share them, or "+
			"use another namespace.",
		namespace, maxConnections)}
}

// unusable is a link without a cluster, because of a mistake that the message names.
func unusable(message string) Link {
	return Link{Misconfigured: true, Reason: v1alpha1.ReasonCredentials, Message: message}
}

// defaults is the controller's default connection. With an error, which names the file or variable at fault, it is the
// latest that was read without one.
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
	} else if conn.Addresses != nil { // pools with credentials of their own go by nothing but that
		c.last.conn.Addresses = conn.Addresses
	}
	switch {
	case err != nil && (before.err == nil || before.err.Error() != err.Error()):
		log.FromContext(ctx).Info("the controller's own connection to Nomad can't be used", "cause", err.Error())
	case err == nil && before.err != nil:
		log.FromContext(ctx).Info("the controller's own connection to Nomad is in order again")
	}
	return c.last.conn, err
}

// secret returns the credentials Secret; nil: there is none. For a pool or member that is being deleted it returns a
// deleted Secret as it last was.
func (c *Connections) secret(ctx context.Context, key types.NamespacedName, deleting bool) (*corev1.Secret, error) {
	now := c.Clock.Now()
	if e, ok := c.remembered(key, now); ok {
		return e.orLast(deleting), nil
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
	return e.orLast(deleting), nil
}

// orLast is the Secret, or for a deletion the last content of one that is gone.
func (e *cachedSecret) orLast(deleting bool) *corev1.Secret {
	if e.secret == nil && deleting {
		return e.last
	}
	return e.secret
}

// remembered returns a Secret that was read less than credentialsTTL ago.
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

// usesExpiry is how long it is remembered who uses a connection.
const usesExpiry = 3 * Refresh

// Start drops Secrets that weren't needed for credentialsExpiry, because no pool names them any more, and users of
// connections that are gone, until ctx ends.
func (c *Connections) Start(ctx context.Context) error {
	wait.UntilWithContext(ctx, func(context.Context) { c.forget() }, credentialsExpiry/10)
	return nil
}

func (c *Connections) forget() {
	now := c.Clock.Now()
	c.uses.forget(now.Add(-usesExpiry))
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.secrets,
		func(_ types.NamespacedName, e *cachedSecret) bool { return now.Sub(e.used) > credentialsExpiry })
}
