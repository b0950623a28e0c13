package node

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/cloudinit"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
)

// renewRetry is how soon to ask again for a new introduction token.
const renewRetry = 15 * time.Second

// introduced notes in a Secret when the introduction token in it was made. Without a token there is nothing to note.
func introduced(secret *corev1.Secret, token string, now time.Time) {
	if token != "" {
		metav1.SetMetaDataAnnotation(&secret.ObjectMeta, v1alpha1.IntroductionTimeAnnotation, now.UTC().Format(time.RFC3339))
	}
}

// observeIntroduction finds out when the introduction token of a guest that waits to boot must be renewed.
func (r *Reconciler) observeIntroduction(ctx context.Context, s *scope) error {
	secret, err := r.readSecret(ctx, s)
	if err != nil || secret == nil {
		return err
	}
	if made, err := time.Parse(time.RFC3339, secret.Annotations[v1alpha1.IntroductionTimeAnnotation]); err == nil {
		s.observed.IntroductionStaleAt = member.IntroductionStaleAt(made)
	}
	s.observed.HasIntroductionToken = cloudinit.Introduces(secret.Data[cloudinit.UserDataKey])
	return nil
}

// readSecret reads the member's cloud-init Secret; nil: it has none.
func (r *Reconciler) readSecret(ctx context.Context, s *scope) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	key := types.NamespacedName{Namespace: s.node.Namespace, Name: blueprint.SecretName(blueprint.MemberOf(s.node))}
	found, err := read(ctx, r.Live, key, secret)
	if err != nil || !found || secret.Labels[v1alpha1.NodeLabel] != s.node.Name {
		return nil, err
	}
	return secret, nil
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
