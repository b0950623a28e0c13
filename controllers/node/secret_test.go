package node

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
)

// A VM that was halted for its quota, and whose Secret somebody has deleted, would start for ever, and Harvester would
// take it for one above its quota for ever.
func TestSecretOfAWaitingVMIsMadeAgain(t *testing.T) {
	s := haltedForQuota()
	s.reconcile(t)
	if data := s.userData(t); !strings.Contains(data, "jwt-of-now") {
		t.Errorf("the Secret has %q", data)
	}
	if got := *s.vm(t).Spec.RunStrategy; got != kubevirtv1.RunStrategyRerunOnFailure {
		t.Errorf("the VM's strategy is %s", got)
	}
	if !s.node(t).Status.HasIntroductionToken {
		t.Error("the token isn't noted, so it would stay in the Secret")
	}
}

// One that is there stays, whatever somebody has made of it.
func TestSecretOfAWaitingVMIsLeftAlone(t *testing.T) {
	s := haltedForQuota()
	theirs := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns",
		Name: blueprint.SecretName(blueprint.MemberOf(s.node(t)))}, Data: map[string][]byte{"userdata": []byte("#cloud-config")}}
	if err := s.Client.Create(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	s.reconcile(t)
	after := &corev1.Secret{}
	if err := s.Client.Get(t.Context(), client.ObjectKeyFromObject(theirs), after); err != nil ||
		after.ResourceVersion != theirs.ResourceVersion {
		t.Errorf("%+v, %v", after, err)
	}
}
