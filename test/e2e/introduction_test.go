package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad/nomadtest"
)

// Under strict introduction a member joins with the token in its Secret, which holds none from then on. Neither VM nor
// revision changes, and the guest needs none later: not when it restarts, nor when somebody has purged its node.
func TestIntroductionsAreTakenOutOfSecrets(t *testing.T) {
	t.Parallel()
	introduces, err := w.NomadServer.Introduces(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o := nomad.ServerOptions{ACL: true}
	if introduces {
		o.Introduction = "strict"
	}
	server := nomadtest.Start(t, o)
	tokenSecret(t, "introduced", server.Token)
	create(t, newPool("introduced", 1, credentials("introduced"), func(p *v1alpha1.NomadNodePool) {
		p.Spec.Nomad.Address, p.Spec.Nomad.Servers = server.Addr, []string{server.RPCAddr}
		if introduces {
			p.Spec.Nomad.IntroductionToken = v1alpha1.IntroductionAlways
		}
	}))
	eventually(t, "introduced", "the member to join", time.Minute, both(allReady(1), withoutTokens))
	before, vm, vmi := members(t, "introduced")[0], vms(t, "introduced")[0], instanceOf(t, "introduced")
	var secret corev1.Secret
	key := types.NamespacedName{Namespace: before.Namespace, Name: blueprint.SecretName(blueprint.MemberOf(&before))}
	if err := w.Client.Get(t.Context(), key, &secret); err != nil {
		t.Fatal(err)
	}
	for k, text := range secret.Data {
		if strings.Contains(string(text), "intro_token") || strings.Contains(string(text), "eyJ") {
			t.Errorf("%s of the Secret is %s", k, text)
		}
	}
	if !strings.Contains(string(secret.Data["userdata"]), before.Spec.NodeID) {
		t.Errorf("the user data is %s", secret.Data["userdata"])
	}

	if err := w.Hypervisor.KillGuest(client.ObjectKeyFromObject(&vm)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "introduced", "the guest to restart and join", 2*time.Minute, both(allReady(1),
		func(*v1alpha1.NomadNodePool, []v1alpha1.NomadNode) error {
			if now := instanceOf(t, "introduced"); now.UID == vmi.UID || now.Status.Phase != kubevirtv1.Running {
				return fmt.Errorf("instance %s is %s", now.UID, now.Status.Phase)
			}
			return nil
		}))
	if _, _, err := server.Client.Nodes().Purge(before.Spec.NodeID, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "introduced", "the purged guest to join again", 2*time.Minute, both(allReady(1),
		func(*v1alpha1.NomadNodePool, []v1alpha1.NomadNode) error {
			node, _, err := server.Client.Nodes().Info(before.Spec.NodeID, nil)
			if err == nil && node.Status != "ready" {
				err = fmt.Errorf("the node is %s", node.Status)
			}
			return err
		}))
	after, vmNow := members(t, "introduced")[0], vms(t, "introduced")[0]
	if after.UID != before.UID || after.Spec.Revision != before.Spec.Revision || vmNow.UID != vm.UID ||
		vmNow.Generation != vm.Generation {
		t.Errorf("member %s, VM %s of generation %d became %s, %s, %d", before.UID, vm.UID, vm.Generation, after.UID, vmNow.UID,
			vmNow.Generation)
	}
}

// withoutTokens is satisfied when no member's Secret holds an introduction token, as far as their status says.
func withoutTokens(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
	for _, n := range nodes {
		if n.Status.HasIntroductionToken {
			return fmt.Errorf("%s has its introduction token still", n.Name)
		}
	}
	return nil
}

// instanceOf is the only instance of a pool, or an empty one.
func instanceOf(t *testing.T, pool string) kubevirtv1.VirtualMachineInstance {
	t.Helper()
	var l kubevirtv1.VirtualMachineInstanceList
	if err := w.Client.List(t.Context(), &l, of(pool)...); err != nil {
		t.Fatal(err)
	}
	if len(l.Items) != 1 {
		return kubevirtv1.VirtualMachineInstance{}
	}
	return l.Items[0]
}
