package hypervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	virtv1 "kubevirt.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// heartbeatInterval keeps a node responsive: virt-controller gives up on one after five minutes.
const heartbeatInterval = 15 * time.Second

// hosts are the machines, and whether they live.
type hosts struct {
	mu    sync.Mutex
	names []string
	dead  map[string]bool
	turn  int
}

func newHosts(count int) *hosts {
	h := &hosts{dead: map[string]bool{}}
	for i := range count {
		h.names = append(h.names, fmt.Sprintf("host-%d", i+1))
	}
	return h
}

// lives tells whether the node is one of ours, and in working order.
func (h *hosts) lives(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Contains(h.names, name) && !h.dead[name]
}

func (h *hosts) living() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(h.names), func(name string) bool { return h.dead[name] })
}

func (h *hosts) setDead(name string, dead bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Contains(h.names, name) {
		return fmt.Errorf("no host %q", name)
	}
	h.dead[name] = dead
	return nil
}

// next picks one of the candidates in turn, empty if there are none.
func (h *hosts) next(candidates []string) string {
	if len(candidates) == 0 {
		return ""
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turn++
	return candidates[h.turn%len(candidates)]
}

// schedule picks a host for the pod: alive, not cordoned, the one it names if it names one, and not the one that its
// guest is to be migrated from.
func (h *Hypervisor) schedule(ctx context.Context, pod *corev1.Pod) (string, error) {
	from := h.domains.get(types.UID(pod.Labels[virtv1.CreatedByLabel]))
	var candidates []string
	for _, name := range h.hosts.living() {
		if wanted := pod.Spec.NodeSelector[corev1.LabelHostname]; wanted != "" && wanted != name {
			continue
		}
		if from != nil && from.hostName() == name {
			continue
		}
		var node corev1.Node
		if err := h.Get(ctx, client.ObjectKey{Name: name}, &node); err != nil {
			return "", err
		}
		if !node.Spec.Unschedulable {
			candidates = append(candidates, name)
		}
	}
	return h.hosts.next(candidates), nil
}

// register waits for the caches and makes the nodes.
func (h *Hypervisor) register(ctx context.Context, manager ctrl.Manager) error {
	if !manager.GetCache().WaitForCacheSync(ctx) {
		return errors.Join(errors.New("caches never filled"), ctx.Err())
	}
	return h.beatOnce(ctx)
}

func (h *Hypervisor) beat(ctx context.Context) {
	ticker := time.NewTicker(heartbeatInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := h.beatOnce(ctx); err != nil && ctx.Err() == nil {
			h.options.Log.Error(err, "node heartbeat")
		}
	}
}

func (h *Hypervisor) beatOnce(ctx context.Context) error {
	var errs []error
	for _, name := range h.hosts.living() {
		errs = append(errs, h.beatNode(ctx, name))
	}
	return errors.Join(errs...)
}

// beatNode does what kubelet and virt-handler do to keep a node schedulable. Reading past the cache keeps
// two beats in a row from conflicting.
func (h *Hypervisor) beatNode(ctx context.Context, name string) error {
	now := metav1.Now()
	heartbeat, err := json.Marshal(now)
	if err != nil {
		return err
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	_, err = ctrl.CreateOrUpdate(ctx, uncached{h.Client, h.direct}, node, func() error {
		setAll(&node.Labels, map[string]string{
			virtv1.NodeSchedulable:    "true",
			corev1.LabelHostname:      name,
			corev1.LabelArchStable:    "amd64",
			corev1.LabelOSStable:      "linux",
			"harvesterhci.io/managed": "true",
			// A guest is migrated to where this is as well.
			virtv1.HostModelCPULabel + "EPYC": "true",
		})
		setAll(&node.Annotations, map[string]string{virtv1.VirtHandlerHeartbeat: strings.Trim(string(heartbeat), `"`)})
		// Admission gives every new node this taint, for the node controller to take away.
		node.Spec.Taints = slices.DeleteFunc(node.Spec.Taints,
			func(t corev1.Taint) bool { return t.Key == corev1.TaintNodeNotReady })
		return nil
	})
	if err != nil {
		return err
	}
	node.Status.Capacity, node.Status.Allocatable = plenty, plenty
	node.Status.Conditions = []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady",
		LastHeartbeatTime: now, LastTransitionTime: readySince(node, now),
	}}
	return h.Status().Update(ctx, node)
}

// plenty is what every host offers; guests share the machine that the test runs on.
var plenty = corev1.ResourceList{
	corev1.ResourceCPU:              resource.MustParse("512"),
	corev1.ResourceMemory:           resource.MustParse("4Ti"),
	corev1.ResourceEphemeralStorage: resource.MustParse("4Ti"),
	corev1.ResourcePods:             resource.MustParse("2000"),
	"devices.kubevirt.io/kvm":       resource.MustParse("2000"),
	"devices.kubevirt.io/tun":       resource.MustParse("2000"),
	"devices.kubevirt.io/vhost-net": resource.MustParse("2000"),
}

func readySince(node *corev1.Node, now metav1.Time) metav1.Time {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime
		}
	}
	return now
}

func setAll(to *map[string]string, values map[string]string) {
	if *to == nil {
		*to = map[string]string{}
	}
	for key, value := range values {
		(*to)[key] = value
	}
}

// uncached is a client that reads from the server.
type uncached struct {
	client.Client
	reader client.Reader
}

// Get reads past the cache.
func (u uncached) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	return u.reader.Get(ctx, key, o, opts...)
}
