package preflight

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
)

func quotaObject(name string, hard, used map[corev1.ResourceName]string) *corev1.ResourceQuota {
	list := func(from map[corev1.ResourceName]string) corev1.ResourceList {
		out := corev1.ResourceList{}
		for k, v := range from {
			out[k] = resource.MustParse(v)
		}
		return out
	}
	return &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: "nomad-clients", Name: name},
		Status:     corev1.ResourceQuotaStatus{Hard: list(hard), Used: list(used)},
	}
}

type amounts = map[corev1.ResourceName]string

// The template takes 8 CPUs, 32Gi, and 140Gi on two disks.
func TestReadCapacity(t *testing.T) {
	const none = -1
	scoped := quotaObject("q", amounts{"limits.cpu": "1"}, amounts{"limits.cpu": "0"})
	scoped.Spec.Scopes = []corev1.ResourceQuotaScope{corev1.ResourceQuotaScopeBestEffort}
	for name, tt := range map[string]struct {
		quotas   []client.Object
		capacity int
		problem  string
	}{
		"no quota":        {nil, none, ""},
		"another's limit": {[]client.Object{quotaObject("q", amounts{"services": "1"}, amounts{"services": "1"})}, none, ""},
		"new":             {[]client.Object{quotaObject("q", amounts{"limits.cpu": "1"}, nil)}, none, ""},
		"of a scope":      {[]client.Object{scoped}, none, ""},
		"another namespace's": {[]client.Object{func() client.Object {
			q := quotaObject("q", amounts{"limits.cpu": "1"}, amounts{"limits.cpu": "0"})
			q.Namespace = "other"
			return q
		}()}, none, ""},
		"cpu": {
			[]client.Object{quotaObject("q", amounts{"limits.cpu": "20"}, amounts{"limits.cpu": "4"})}, 2,
			`spec.template.cpu: ResourceQuota "q" allows limits.cpu 20 in the namespace, of which too little is left: each new member needs 8 (kubectl describe resourcequota -n nomad-clients q shows what is used); ` +
				`raise the quota (if Rancher manages it, that of the project or namespace there), lower replicas, or make the template smaller`,
		},
		"cpu of which half is gone": {[]client.Object{quotaObject("q", amounts{"limits.cpu": "20"},
			amounts{"limits.cpu": "4500m"})}, 1, ""},
		"cpu above the quota": {[]client.Object{quotaObject("q", amounts{"limits.cpu": "4"}, amounts{"limits.cpu": "16"})}, 0,
			""},
		"memory": {
			[]client.Object{quotaObject("q", amounts{"limits.memory": "64Gi"}, amounts{"limits.memory": "33Gi"})}, 0,
			`spec.template.memory: ResourceQuota "q" allows limits.memory 64Gi in the namespace, of which too little is left: each new member needs at least 32Gi (kubectl describe resourcequota -n nomad-clients q shows what is used); ` +
				`raise the quota (if Rancher manages it, that of the project or namespace there), lower replicas, or make the template smaller`,
		},
		"storage": {
			[]client.Object{quotaObject("q", amounts{"requests.storage": "300Gi"}, amounts{"requests.storage": "0"})}, 2,
			`spec.template.disks: ResourceQuota "q" allows requests.storage 300Gi in the namespace, of which too little is left: each new member needs 140Gi (kubectl describe resourcequota -n nomad-clients q shows what is used); ` +
				`raise the quota (if Rancher manages it, that of the project or namespace there), lower replicas, or make the template smaller`,
		},
		"claims": {[]client.Object{quotaObject("q", amounts{"persistentvolumeclaims": "5"}, amounts{"persistentvolumeclaims": "2"})}, 1, ""},
		"storage of one class": {
			[]client.Object{quotaObject("q", amounts{"harvester-longhorn.storageclass.storage.k8s.io/requests.storage": "150Gi"},
				amounts{"harvester-longhorn.storageclass.storage.k8s.io/requests.storage": "100Gi"})}, 0,
			`spec.template.disks[1]: ResourceQuota "q" allows harvester-longhorn.storageclass.storage.k8s.io/requests.storage 150Gi in the namespace, of which too little is left: each new member needs 100Gi (kubectl describe resourcequota -n nomad-clients q shows what is used); ` +
				`raise the quota (if Rancher manages it, that of the project or namespace there), lower replicas, or make the template smaller`,
		},
		"claims of an image's class": {
			[]client.Object{quotaObject("q", amounts{blueprinttest.StorageClass + ".storageclass.storage.k8s.io/persistentvolumeclaims": "3"},
				amounts{blueprinttest.StorageClass + ".storageclass.storage.k8s.io/persistentvolumeclaims": "1"})}, 2, "",
		},
		"another class": {
			[]client.Object{quotaObject("q", amounts{"gold.storageclass.storage.k8s.io/requests.storage": "1Gi"},
				amounts{"gold.storageclass.storage.k8s.io/requests.storage": "1Gi"})}, none, "",
		},
		"the least of several": {[]client.Object{
			quotaObject("a", amounts{"limits.cpu": "80", "limits.memory": "64Gi"},
				amounts{"limits.cpu": "0", "limits.memory": "0"}),
			quotaObject("b", amounts{"count/persistentvolumeclaims": "99"}, amounts{"count/persistentvolumeclaims": "2"}),
		}, 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tmpl := blueprinttest.Template()
			capacity, err := ReadCapacity(t.Context(), reader(t, tt.quotas...), "nomad-clients", &tmpl, blueprinttest.Facts())
			switch {
			case err != nil:
				t.Fatal(err)
			case capacity == nil:
				if tt.capacity != none {
					t.Errorf("no limit, want capacity for %d", tt.capacity)
				}
			case capacity.Members != tt.capacity || tt.problem != "" && capacity.Problem.Message != tt.problem:
				t.Errorf("got %+v", capacity)
			}
		})
	}
}

// A message that changed with what is used would be written again and again.
func TestCapacityHasTheSameMessage(t *testing.T) {
	tmpl := blueprinttest.Template()
	var message string
	for _, used := range []string{"0", "9", "13", "20"} {
		capacity, err := ReadCapacity(t.Context(),
			reader(t, quotaObject("q", amounts{"limits.cpu": "20"}, amounts{"limits.cpu": used})), "nomad-clients", &tmpl, blueprinttest.Facts())
		if err != nil || message != "" && capacity.Problem.Message != message {
			t.Errorf("%v, %v", capacity, err)
		}
		message = capacity.Problem.Message
	}
}

func (f failing) List(context.Context, client.ObjectList, ...client.ListOption) error { return f.err }

func TestReadCapacityFailsWithoutAnAnswer(t *testing.T) {
	down := errors.New("connection refused")
	tmpl := blueprinttest.Template()
	if _, err := ReadCapacity(t.Context(), failing{err: down}, "nomad-clients", &tmpl, blueprinttest.Facts()); !errors.Is(
		err, down) {
		t.Errorf("got %v", err)
	}
}
