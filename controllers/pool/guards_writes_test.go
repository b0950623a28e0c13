package pool

import (
	"context"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube/kubetest"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

func asIs(*v1alpha1.NomadNodePool, *v1alpha1.NomadNode) {}

// mute is an API server that doesn't answer.
type mute struct{ client.Reader }

func (mute) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return apierrors.NewServerTimeout(schema.GroupResource{}, "get", 1)
}

// A VM that the cache doesn't show yet is there, or may be: its member isn't replaced. And a member that has come in the
// place of the one that was observed stays.
func TestMemberIsReplacedByWhatTheAPIServerHas(t *testing.T) {
	for name, c := range map[string]struct {
		made, mute bool
		deleted    types.UID
	}{
		"its VM was made a moment ago": {made: true},
		"it isn't known if it has one": {mute: true},
		"it has none":                  {deleted: "n"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(asIs)
			p, n := s.reconcile(t)
			n.Status.VM.UID = ""
			if c.mute {
				s.Live = mute{s.Live}
			}
			if c.made {
				vm := &kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p-1",
					Labels: map[string]string{v1alpha1.PoolLabel: "p"}, Annotations: map[string]string{
						v1alpha1.PoolUIDAnnotation: "u", v1alpha1.MemberAnnotation: "p-1", v1alpha1.NodeIDAnnotation: fixtureNodeID}}}
				if err := s.Client.Create(t.Context(), vm); err != nil {
					t.Fatal(err)
				}
			}
			deleted := types.UID("")
			s.Client = interceptor.NewClient(s.Client.(client.WithWatch), interceptor.Funcs{
				Get: func(_ context.Context, _ client.WithWatch, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
					return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
				},
				Delete: func(_ context.Context, _ client.WithWatch, _ client.Object, opts ...client.DeleteOption) error {
					if deleted = "some"; (&client.DeleteOptions{}).ApplyOptions(opts).Preconditions != nil {
						deleted = *(&client.DeleteOptions{}).ApplyOptions(opts).Preconditions.UID
					}
					return nil
				},
			})
			if err := s.replace(t.Context(), &scope{pool: p}, n); (err != nil) != c.mute || deleted != c.deleted {
				t.Errorf("deleted with the UID %q, want %q; %v", deleted, c.deleted, err)
			}
		})
	}
}

// What was written into a member since it was read isn't overwritten. One that has gone has nothing to be written.
func TestMembersAreWrittenAsTheyWereRead(t *testing.T) {
	s := newFixture(asIs)
	p, read := s.reconcile(t)
	of := &scope{pool: p, members: map[string]*v1alpha1.NomadNode{"p-1": read}, snapshot: pool.Snapshot{Now: now}}
	written := read.DeepCopy()
	written.Annotations = map[string]string{"example.com/written": "since"}
	if err := s.Client.Update(t.Context(), written); err != nil {
		t.Fatal(err)
	}
	if err := s.requestDrain(t.Context(), of, read.DeepCopy(), v1alpha1.DrainUnhealthy); !apierrors.IsConflict(err) {
		t.Errorf("it was changed: %v", err)
	}
	if err := s.Client.Delete(t.Context(), written); err != nil {
		t.Fatal(err)
	}
	if err := s.requestDrain(t.Context(), of, read.DeepCopy(), v1alpha1.DrainUnhealthy); err != nil {
		t.Errorf("it is gone: %v", err)
	}
}

// A member that another controller has made a moment ago, or this one before a crash, counts as made: neither is it
// reported, nor made once more.
func TestMemberThatIsThereIsMade(t *testing.T) {
	s := newFixture(asIs)
	p, _ := s.reconcile(t)
	s.emitted()
	of := &scope{pool: p, nextOrdinal: 1, members: map[string]*v1alpha1.NomadNode{}}
	theirs, before, made := pool.MemberName("p", "u", 1), pool.MemberName("p", "u", 2), pool.MemberName("p", "u", 3)
	if err := s.Client.Create(t.Context(), newNode(of, theirs, "theirs")); err != nil {
		t.Fatal(err)
	}
	of.members[before] = newNode(of, before, "before")
	out, err := s.create(t.Context(), of, 2)
	if err != nil || out.NextOrdinal != 4 || out.CreateError != nil {
		t.Errorf("%+v, %v", out, err)
	}
	if emitted := s.emitted(); !strings.Contains(emitted, "Created member "+made) {
		t.Errorf("emitted %q", emitted)
	}
	n := &v1alpha1.NomadNode{}
	if err := s.Client.Get(t.Context(), client.ObjectKey{Namespace: "ns", Name: theirs}, n); err != nil ||
		n.Spec.NodeID != "theirs" {
		t.Errorf("%+v, %v", n.Spec, err)
	}
}

// Replicas are filled in of the pool that was read: somebody may have set them since.
func TestReplicasAreFilledInOfThePoolThatWasRead(t *testing.T) {
	var sent []string
	c := interceptor.NewClient(kubetest.Client().Build(), interceptor.Funcs{
		Patch: func(_ context.Context, _ client.WithWatch, o client.Object, p client.Patch, _ ...client.PatchOption) error {
			data, err := p.Data(o)
			sent = append(sent, string(data))
			return err
		},
	})
	p := &v1alpha1.NomadNodePool{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", ResourceVersion: "7",
		ManagedFields: []metav1.ManagedFieldsEntry{owner("helm", "", `{"f:spec":{"f:nomad":{}}}`)}}}
	if err := keepReplicas(t.Context(), c, p); err != nil {
		t.Fatal(err)
	}
	if len(sent) != 1 || !strings.Contains(sent[0], `"resourceVersion":"7"`) || !strings.Contains(sent[0], `"replicas":1`) {
		t.Errorf("sent %q", sent)
	}
}
