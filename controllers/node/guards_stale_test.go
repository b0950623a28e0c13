package node

import (
	"context"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/nomad-harvester/nomad-harvester/controllers/kube/kubetest"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// What somebody has written into a Secret since it was read isn't overwritten.
func TestIntroductionIsWrittenIntoTheSecretThatWasRead(t *testing.T) {
	for name, c := range map[string]struct {
		s    *fixture
		step member.Step
	}{
		"a new token": {waiting(time.Hour, "a.b.c"), member.RenewIntroduction},
		"no token":    {justJoined(true), member.RemoveIntroduction},
	} {
		t.Run(name, func(t *testing.T) {
			of, read := c.s.observed(t), c.s.secret(t)
			edited := read.DeepCopy()
			metav1.SetMetaDataAnnotation(&edited.ObjectMeta, "example.com/edited", "since")
			if err := c.s.Client.Update(t.Context(), edited); err != nil {
				t.Fatal(err)
			}
			c.s.Live = kubetest.Client().WithObjects(read).Build()
			if err := c.s.stepOf(c.step)(t.Context(), of, member.Decision{}, &member.Outcome{}); !apierrors.IsConflict(err) {
				t.Errorf("%v", err)
			}
		})
	}
}

// The NomadNode that is deleted is the one that was observed: another one of its name stays.
func TestNomadNodeIsDeletedByItsUID(t *testing.T) {
	s := notMade(0, "")
	of, uid := s.observed(t), types.UID("")
	s.Client = interceptor.NewClient(s.Client.(client.WithWatch), interceptor.Funcs{
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			if given := (&client.DeleteOptions{}).ApplyOptions(opts).Preconditions; given != nil {
				uid = *given.UID
			}
			return c.Delete(ctx, o, opts...)
		},
	})
	if err := s.deleteNomadNode(t.Context(), of, member.Decision{}, nil); err != nil || uid != "n" {
		t.Errorf("deleted with the UID %q, %v", uid, err)
	}
}

// An API server whose data were restored from a backup gives versions once more: a NomadNode of the name may have the
// version of the one that was read, and be another.
func TestAnotherNomadNodeOfTheSameVersionIsNotTheLatest(t *testing.T) {
	for uid, want := range map[types.UID]bool{"n": true, "another": false} {
		s := notMade(0, "")
		of, n := s.observed(t), s.node(t)
		n.UID = uid
		s.Live = kubetest.Client().WithObjects(n).Build()
		if latest, err := s.upToDate(t.Context(), of); err != nil || latest != want {
			t.Errorf("of UID %s: up to date is %t, %v", uid, latest, err)
		}
	}
}

// That the cache has no VM proves nothing of a member that leaves.
func TestVMThatTheCacheLacksIsReadFromTheAPIServer(t *testing.T) {
	s := drained(nomad.Health{State: nomad.HealthReachable}, nothing)
	s.cacheShows(func(key client.ObjectKey, o client.Object) (bool, error) {
		_, vm := o.(*kubevirtv1.VirtualMachine)
		return vm, apierrors.NewNotFound(schema.GroupResource{}, key.Name)
	})
	if of := s.observed(t); of.vm == nil || !of.observed.VM.Owned {
		t.Errorf("observed %+v", of.observed.VM)
	}
}
