package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/cloudinit"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/preflight"
	"github.com/nomad-harvester/nomad-harvester/internal/render"
)

// problemError is an error that doesn't go away by itself, and that the member's conditions show.
type problemError struct{ nodestate.Blocked }

func (e problemError) Error() string { return e.Message }

func (r *Reconciler) createSecret(ctx context.Context, s *scope, _ member.Decision, out *member.Outcome) error {
	secret, err := r.renderSecret(ctx, s, out)
	if err != nil || secret == nil {
		return err
	}
	if latest, err := r.upToDate(ctx, s); err != nil || !latest {
		return err
	}
	return r.writeSecret(ctx, s, secret, out)
}

// renewSecret gets the new token before it deletes the Secret with the old one.
func (r *Reconciler) renewSecret(ctx context.Context, s *scope, d member.Decision, out *member.Outcome) error {
	secret, err := r.renderSecret(ctx, s, out)
	if err != nil || secret == nil {
		return err
	}
	if latest, err := r.upToDate(ctx, s); err != nil || !latest {
		return err
	}
	if err := r.deleteSecret(ctx, s, d, out); err != nil {
		return err
	}
	out.SecretDeleted = false
	return r.writeSecret(ctx, s, secret, out)
}

func (r *Reconciler) writeSecret(ctx context.Context, s *scope, secret *corev1.Secret, out *member.Outcome) error {
	err := r.Client.Create(ctx, secret)
	out.Secret = err == nil
	out.CertificateEnd = certificateEnd(secret, s.observed.Node)
	out.Introduction = cloudinit.Introduces(secret.Data[cloudinit.UserDataKey])
	if apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("a Secret %s that isn't this member's is in the way: %w", secret.Name, err)
	}
	return err
}

func (r *Reconciler) deleteSecret(ctx context.Context, s *scope, _ member.Decision, out *member.Outcome) error {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.node.Namespace, Name: blueprint.SecretName(blueprint.MemberOf(s.node))}}
	err := client.IgnoreNotFound(r.Client.Delete(ctx, secret))
	out.SecretDeleted = err == nil
	return err
}

// renderSecret returns nil if it isn't known yet what goes into the Secret.
func (r *Reconciler) renderSecret(ctx context.Context, s *scope, out *member.Outcome) (*corev1.Secret, error) {
	m := blueprint.MemberOf(s.node)
	if s.observed.Nomad.NotAsked {
		// Just after a start. Otherwise the first members would be made without a token, as if Nomad were away, and without
		// knowing if it has ACLs. What blocked the member before does so still.
		out.RetryAfter, out.Problem = notAskedRetry, s.observed.Node.Blocked()
		return nil, nil
	}
	token, err := r.introductionToken(ctx, s)
	if err != nil {
		return nil, err
	}
	m.IntroductionToken = token
	// While Nomad is away this isn't known. Then ACLs are on: the log of an agent shows that it refuses too much, but not
	// that it lets everybody in.
	m.ACL = !s.link.View.NoACLs
	rendered, err := render.Member(m, s.facts)
	if err != nil {
		return nil, templateProblem(err)
	}
	introduced(rendered.Secret, token, s.observed.Now)
	certified(rendered.Secret, preflight.CertificateEnd(&s.node.Spec.Nomad.NomadClient, s.facts))
	return rendered.Secret, nil
}

// certified notes in a Secret when the client certificate in it ends. Once the Secret is there nothing else tells: the
// process may die before the member's status is written, and what the certificate was taken from may change.
func certified(secret *corev1.Secret, end time.Time) {
	if !end.IsZero() {
		metav1.SetMetaDataAnnotation(&secret.ObjectMeta, v1alpha1.CertificateExpirationTimeAnnotation,
			end.UTC().Format(time.RFC3339))
	}
}

// certificateEnd is when the client certificate in a Secret ends; if that isn't noted, what the status says.
func certificateEnd(secret *corev1.Secret, n nodestate.Node) time.Time {
	if end, err := time.Parse(time.RFC3339, secret.Annotations[v1alpha1.CertificateExpirationTimeAnnotation]); err == nil {
		return end
	}
	return n.CertificateEnd
}

// templateProblem is the error of a template of which nothing can be rendered. Nobody refused it, and no retry mends
// it.
func templateProblem(err error) error {
	p := condition.Problem{Reason: v1alpha1.ReasonTemplateInvalid, Message: err.Error()}
	if invalid := (*render.InvalidError)(nil); errors.As(err, &invalid) {
		p.Reason = invalid.Problems[0].Reason
	}
	return problemError{nodestate.Blocked{By: v1alpha1.BlockedByTemplate, Problem: p}}
}

// observeSecret reads the cloud-init Secret.
func (r *Reconciler) observeSecret(ctx context.Context, s *scope) error {
	secret, err := r.readSecret(ctx, s)
	if err != nil {
		return err
	}
	if s.observed.Secret = secret != nil; secret != nil {
		s.observed.Node.CertificateEnd = certificateEnd(secret, s.observed.Node)
		made, introduced := introductionTime(secret)
		if !introduced { // Nomad gave none then, and may give one by now
			made = secret.CreationTimestamp.Time
		}
		if s.node.Spec.Nomad.IntroductionToken != v1alpha1.IntroductionNever {
			s.observed.IntroductionStaleAt = member.IntroductionStaleAt(made)
		}
	}
	if !s.observed.Node.Leaving() { // otherwise the Secret goes, and nobody acts on this
		s.observed.HasIntroductionToken = secret != nil && cloudinit.Introduces(secret.Data[cloudinit.UserDataKey])
	}
	return nil
}

// readSecret reads the member's cloud-init Secret; nil: it has none.
func (r *Reconciler) readSecret(ctx context.Context, s *scope) (*corev1.Secret, error) {
	secret, found, err := r.anySecret(ctx, s)
	if err != nil || !found || !ofMember(secret, s.node) {
		return nil, err
	}
	return secret, nil
}

// anySecret reads the Secret that the member's VM names, whosever it is.
func (r *Reconciler) anySecret(ctx context.Context, s *scope) (secret *corev1.Secret, found bool, err error) {
	secret = &corev1.Secret{}
	key := types.NamespacedName{Namespace: s.node.Namespace, Name: blueprint.SecretName(blueprint.MemberOf(s.node))}
	found, err = read(ctx, r.Live, key, secret)
	return secret, found, err
}

func ofMember(secret *corev1.Secret, n *v1alpha1.NomadNode) bool {
	return secret.Labels[v1alpha1.NodeLabel] == n.Name
}
