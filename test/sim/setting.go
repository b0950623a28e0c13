package sim

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/preflight"
)

const (
	namespace    = "team"
	poolName     = "web"
	imageName    = "image-x2k7p"
	networkName  = "vlan-120"
	storageClass = "lh-image"
)

// anyPool draws what is asked for.
func anyPool(s *stream, sc Scenario) v1alpha1.NomadNodePoolSpec {
	p := basePool()
	p.Replicas = ptr.To(int32(s.IntN(5)))
	p.Health.JoinTimeout.Duration = sc.JoinTimeout
	p.Health.UnhealthyTimeout.Duration = s.between(30*time.Second, 4*time.Minute)
	p.ScaleIn.Strategy = pick(s, v1alpha1.LeastBusy, v1alpha1.LeastBusy, v1alpha1.NewestCreateIndex,
		v1alpha1.OldestCreateIndex, v1alpha1.Empty, v1alpha1.EmptyIgnoreSystem)
	p.ScaleIn.Drain = v1alpha1.DrainPolicy{
		Deadline: metav1.Duration{
			Duration: pick(s, 30*time.Second, 2*time.Minute, 5*time.Minute)}, IgnoreSystemJobs: s.once(3),
		OnTimeout: pick(s, v1alpha1.DrainForce, v1alpha1.DrainForce, v1alpha1.DrainRetain),
	}
	if s.once(3) {
		most := int32(1 + s.IntN(2))
		p.ScaleIn.MaxConcurrent = &most
	}
	if s.once(4) {
		p.ScaleIn.StabilizationWindow = &metav1.Duration{Duration: s.between(10*time.Second, time.Minute)}
	}
	purge := !s.once(6)
	p.ScaleIn.Purge = &purge
	p.Rollout = anyRollout(s)
	if s.once(3) {
		p.Template.VirtualMachine = &runtime.RawExtension{
			Raw: []byte(`{"template":{"spec":{"evictionStrategy":"External"}}}`),
		}
	}
	return p
}

func anyRollout(s *stream) v1alpha1.RolloutSpec {
	surge := pick(s, intstr.FromInt32(0), intstr.FromInt32(1), intstr.FromInt32(2), intstr.FromString("34%"))
	unavailable := pick(s, intstr.FromInt32(0), intstr.FromInt32(1), intstr.FromString("34%"))
	if surge == intstr.FromInt32(0) {
		unavailable = intstr.FromInt32(1)
	}
	return v1alpha1.RolloutSpec{
		Type: pick(s, v1alpha1.RollingUpdate, v1alpha1.RollingUpdate,
			v1alpha1.OnDelete), MaxSurge: &surge, MaxUnavailable: &unavailable,
		MinReadySeconds: int32(s.IntN(2) * 20),
	}
}

// basePool is a plain pool.
func basePool() v1alpha1.NomadNodePoolSpec {
	surge, unavailable, unhealthy, inFlight, purge := intstr.FromInt32(1), intstr.FromInt32(
		0), intstr.FromString("40%"), int32(
		1,
	), true
	return v1alpha1.NomadNodePoolSpec{
		Nomad: v1alpha1.NomadSpec{
			NomadClient: v1alpha1.NomadClient{Servers: first.servers, IntroductionToken: v1alpha1.IntroductionAuto}},
		Template: v1alpha1.NodeTemplate{
			CPU: 2, Memory: resource.MustParse("4Gi"),
			Disks:    []v1alpha1.Disk{{Name: "root", Size: resource.MustParse("10Gi"), Image: namespace + "/" + imageName}},
			Networks: []v1alpha1.Network{{Name: namespace + "/" + networkName}},
		},
		ScaleIn: v1alpha1.ScaleInSpec{
			Strategy: v1alpha1.LeastBusy, Purge: &purge,
			Drain: v1alpha1.DrainPolicy{Deadline: metav1.Duration{Duration: 15 * time.Minute}, OnTimeout: v1alpha1.DrainForce},
		},
		Rollout: v1alpha1.RolloutSpec{Type: v1alpha1.RollingUpdate, MaxSurge: &surge, MaxUnavailable: &unavailable},
		Health: v1alpha1.HealthSpec{
			JoinTimeout: metav1.Duration{
				Duration: 10 * time.Minute}, UnhealthyTimeout: metav1.Duration{Duration: 5 * time.Minute},
			MaxUnhealthy: &unhealthy, MaxInFlight: &inFlight,
		},
	}
}

// furnish puts into the API server what templates refer to.
func (w *Environment) furnish() {
	image := &unstructured.Unstructured{Object: map[string]any{
		"status": map[string]any{
			"storageClassName": storageClass, "virtualSize": int64(1 << 30),
			"conditions": []any{map[string]any{"type": "Imported", "status": "True"}},
		},
	}}
	image.SetGroupVersionKind(preflight.ImageKind)
	network := &unstructured.Unstructured{Object: map[string]any{}}
	network.SetGroupVersionKind(preflight.NetworkKind)
	for _, u := range []*unstructured.Unstructured{image, network} {
		u.SetNamespace(namespace)
	}
	image.SetName(imageName)
	network.SetName(networkName)
	_ = w.store.create(image) // an empty store takes everything
	_ = w.store.create(network)
	_ = w.store.create(
		&storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: storageClass}, Provisioner: "driver.longhorn.io",
			Parameters: map[string]string{"migratable": "true"}},
	)
	for _, host := range hosts {
		_ = w.store.create(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: host}})
	}
}

// employ gives a Nomad jobs to run.
func (n *nomadServer) employ() {
	s := n.chance("jobs")
	jobs := []*job{
		{name: "web", kind: service, count: s.IntN(5), parallel: 1},
		{name: "api", kind: service, count: s.IntN(3), parallel: 1 + s.IntN(2)},
		{name: "logs", kind: system, count: 1},
		{name: "report", kind: batch, count: s.IntN(4), lasts: s.between(10*time.Second, 6*time.Minute)},
		{name: "scan", kind: sysbatch, count: min(s.IntN(3), 1), lasts: s.between(5*time.Second, time.Minute)},
	}
	for _, j := range jobs {
		if j.kind == service && s.once(3) {
			j.disconnect = s.between(time.Minute, 6*time.Minute)
		}
		if !s.once(3) {
			n.jobs = append(n.jobs, j)
		}
	}
}

func (w *Environment) pool() *v1alpha1.NomadNodePool {
	p, _ := w.store.get(id{kindPool, namespace, poolName}).(*v1alpha1.NomadNodePool)
	return p
}

// order makes the pool.
func (w *Environment) order() {
	p := &v1alpha1.NomadNodePool{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: poolName},
		Spec: *w.Pool.DeepCopy()}
	if w.store.create(p) == nil {
		w.note("operator", poolName, "makes the pool with %d replicas", p.DesiredReplicas())
	}
}
