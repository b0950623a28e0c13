package node

import (
	"cmp"
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/cloudinit"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// renewRetry is how soon to ask again for a new introduction token.
const renewRetry = 15 * time.Second

// introductionToken gets a token of Nomad's; empty: the guest is made without one.
func (r *Reconciler) introductionToken(ctx context.Context, s *scope) (string, error) {
	c := s.node.Spec.Nomad.NomadClient
	mode := c.IntroductionToken
	// A Nomad that has given tokens may require them, and a guest that was made without one could never join then.
	must := mode == v1alpha1.IntroductionAlways || s.link.View.Introduces
	switch {
	case mode == v1alpha1.IntroductionNever, !must && !s.link.Known:
		return "", nil
	case s.link.Cluster == nil:
		return "", noToken(s.link.Message)
	}
	s.latest = false // it may take seconds
	token, supported, err := s.link.Cluster.IntroductionToken(ctx, s.node.Name,
		cmp.Or(c.NodePool, blueprint.DefaultNodePool), member.IntroductionTTL(s.node.Spec.Health.JoinTimeout.Duration))
	switch {
	case notNow(err):
		return "", err
	case err != nil:
		return "", noToken(nomad.Cause(err))
	case !supported && mode == v1alpha1.IntroductionAlways:
		return "", noToken(
			"its servers don't have them (Nomad 1.11 and later do), but spec.nomad.introductionToken is Always; use Auto")
	default:
		return token, nil
	}
}

func noToken(why string) error {
	return problemError{
		nodestate.Blocked{
			By: v1alpha1.BlockedByToken,
			Problem: condition.Problem{Reason: v1alpha1.ReasonIntroductionToken,
				Message: "Nomad gives no introduction token for the guest: " + why},
		},
	}
}

// introduced notes in a Secret when the introduction token in it was made. Without a token there is nothing to note.
func introduced(secret *corev1.Secret, token string, now time.Time) {
	if token != "" {
		metav1.SetMetaDataAnnotation(&secret.ObjectMeta, v1alpha1.IntroductionTimeAnnotation, now.UTC().Format(time.RFC3339))
	}
}

// introductionTime is when the introduction token in a Secret was made; false: it was made without one.
func introductionTime(secret *corev1.Secret) (time.Time, bool) {
	made, err := time.Parse(time.RFC3339, secret.Annotations[v1alpha1.IntroductionTimeAnnotation])
	return made, err == nil
}

// observeWaiting finds out if the Secret of a guest that waits to boot is there, and when the introduction token in it
// must be renewed.
func (r *Reconciler) observeWaiting(ctx context.Context, s *scope) error {
	secret, found, err := r.anySecret(ctx, s)
	switch {
	case err != nil:
		return err
	case !found:
		s.observed.SecretMissing = true
		return r.observeTemplate(ctx, s)
	case !ofMember(secret, s.node):
		return nil
	}
	if made, introduced := introductionTime(secret); introduced {
		s.observed.IntroductionStaleAt = member.IntroductionStaleAt(made)
	}
	s.observed.Node.CertificateEnd = certificateEnd(secret, s.observed.Node)
	s.observed.HasIntroductionToken = cloudinit.Introduces(secret.Data[cloudinit.UserDataKey])
	return nil
}

// renewIntroduction replaces the introduction token, and nothing else, in the Secret of a VM that has waited for
// capacity: an expired one is refused even where none is required. Without a new one the VM isn't started: its guest
// could never join.
func (r *Reconciler) renewIntroduction(ctx context.Context, s *scope, _ member.Decision, out *member.Outcome) error {
	if s.observed.Nomad.NotAsked {
		out.RetryAfter = notAskedRetry
		return nil
	}
	secret, err := r.readSecret(ctx, s)
	if err != nil || secret == nil {
		out.RetryAfter = renewRetry
		return err
	}
	if _, err := cloudinit.WithIntroduction(secret.Data[cloudinit.UserDataKey], ""); err != nil {
		log.FromContext(ctx).Info("somebody has edited the cloud-init Secret, which stays as it is", "cause", err.Error())
		out.IntroductionRenewed = true
		return nil
	}
	token, err := r.introductionToken(ctx, s)
	if err != nil || token == "" {
		log.FromContext(ctx).Info("Nomad gives no new introduction token for a guest that waits to boot", "error", err)
		out.RetryAfter = renewRetry
		return nil
	}
	return r.replaceIntroduction(ctx, s, secret, token, out)
}

func (r *Reconciler) replaceIntroduction(ctx context.Context, s *scope, secret *corev1.Secret, token string,
	out *member.Outcome) error {
	userData, err := cloudinit.WithIntroduction(secret.Data[cloudinit.UserDataKey], token)
	if err != nil {
		return err
	}
	after := secret.DeepCopy()
	after.Data[cloudinit.UserDataKey] = userData
	introduced(after, token, s.observed.Now)
	if err := client.IgnoreNotFound(r.Client.Patch(ctx, after, kube.Locked(secret))); err != nil {
		return fmt.Errorf("renewing the introduction token: %w", err)
	}
	out.IntroductionRenewed = true
	return nil
}

// removeIntroduction takes the introduction token out of the member's Secret by one write. The VM isn't touched:
// KubeVirt reads the Secret when it starts the VM, and the guest then has an identity of Nomad's on its disk.
func (r *Reconciler) removeIntroduction(ctx context.Context, s *scope, _ member.Decision, out *member.Outcome) error {
	secret, err := r.readSecret(ctx, s)
	if err != nil {
		return err
	}
	if secret == nil || !cloudinit.Introduces(secret.Data[cloudinit.UserDataKey]) {
		out.IntroductionRemoved = true
		return nil
	}
	stays := func(why error) {
		log.FromContext(ctx).Info("the introduction token stays in the Secret until it expires", "secret", secret.Name,
			"cause", why.Error())
	}
	after := secret.DeepCopy()
	after.Data[cloudinit.UserDataKey], err = cloudinit.WithoutIntroduction(secret.Data[cloudinit.UserDataKey])
	if err != nil { // somebody has edited it, so that no guest can read it either, and what is left expires
		stays(err)
		out.IntroductionRemoved = true
		return nil
	}
	err = r.Client.Patch(ctx, after, kube.Locked(secret))
	out.IntroductionRemoved = err == nil
	if kube.Refusal(err) != nil { // somebody has made the Secret immutable, or admission is older than this program
		stays(err)
		out.RetryAfter = nomadlink.Refresh
		return nil
	}
	return err
}
