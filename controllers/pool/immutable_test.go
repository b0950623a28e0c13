package pool

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
	testkube "github.com/nomad-harvester/nomad-harvester/test/testenv/kube"
)

// A member stays what it was made as, whoever asks for something else; what is propagated from the pool can be written.
func TestWhatAMemberWasMadeAsStays(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a Kubernetes API server, which is part of the embedded environment")
	}
	admin, controller := startAPIServer(t)
	m := newNode(&scope{pool: fullPool(t), snapshot: pool.Snapshot{Revision: "r"}}, "build-a",
		"11111111-2222-3333-4444-555555555555")
	m.Namespace, m.OwnerReferences[0].UID = "default", "u"
	if err := controller.Create(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*v1alpha1.NomadNodeSpec){
		"spec.nomad: servers":               func(s *v1alpha1.NomadNodeSpec) { s.Nomad.Servers = []string{"other.example.com"} },
		"spec.nomad: their order":           func(s *v1alpha1.NomadNodeSpec) { s.Nomad.Servers = []string{"b.example.com", "a.example.com"} },
		"spec.nomad: its class":             func(s *v1alpha1.NomadNodeSpec) { s.Nomad.NodeClass = "" },
		"spec.nomad: meta":                  func(s *v1alpha1.NomadNodeSpec) { s.Nomad.Meta = map[string]string{"team": "other"} },
		"spec.nomad: a key of meta":         func(s *v1alpha1.NomadNodeSpec) { s.Nomad.Meta = map[string]string{"squad": "ci"} },
		"spec.nomad: its node pool":         func(s *v1alpha1.NomadNodeSpec) { s.Nomad.NodePool = "other" },
		"spec.nomad: its datacenter":        func(s *v1alpha1.NomadNodeSpec) { s.Nomad.Datacenter = "other" },
		"spec.nomad: its token":             func(s *v1alpha1.NomadNodeSpec) { s.Nomad.IntroductionToken = v1alpha1.IntroductionNever },
		"spec.nomad: reserved":              func(s *v1alpha1.NomadNodeSpec) { s.Nomad.Reserved = nil },
		"spec.nomad: its TLS":               func(s *v1alpha1.NomadNodeSpec) { s.Nomad.ClientTLSSecretRef = &v1alpha1.SecretRef{Name: "tls"} },
		"spec.template: cpu":                func(s *v1alpha1.NomadNodeSpec) { s.Template.CPU++ },
		"spec.template: memory":             func(s *v1alpha1.NomadNodeSpec) { s.Template.Memory = resource.MustParse("9Gi") },
		"spec.template: a disk":             func(s *v1alpha1.NomadNodeSpec) { s.Template.Disks[1].Size = resource.MustParse("1Gi") },
		"spec.template: a disk less":        func(s *v1alpha1.NomadNodeSpec) { s.Template.Disks = s.Template.Disks[:1] },
		"spec.template: the order of disks": func(s *v1alpha1.NomadNodeSpec) { d := s.Template.Disks; d[1], d[2] = d[2], d[1] },
		"spec.template: networks":           func(s *v1alpha1.NomadNodeSpec) { s.Template.Networks[0].Name = "default/other" },
		"spec.template: keys":               func(s *v1alpha1.NomadNodeSpec) { s.Template.SSHKeys = nil },
		"spec.template: a label":            func(s *v1alpha1.NomadNodeSpec) { s.Template.Labels["cost-center"] = "other" },
		"spec.template: user data":          func(s *v1alpha1.NomadNodeSpec) { s.Template.CloudInit.UserData += "packages: [jq]\n" },
		"spec.template: the overlay": func(s *v1alpha1.NomadNodeSpec) {
			s.Template.VirtualMachine = overlay(`{"template":{"spec":{"terminationGracePeriodSeconds":61}}}`)
		},
		"spec.template: a key of the overlay": func(s *v1alpha1.NomadNodeSpec) {
			s.Template.VirtualMachine = overlay(`{"template":{"spec":{"nodeSelector":{"a":"b"}}}}`)
		},
		"spec.template: no overlay": func(s *v1alpha1.NomadNodeSpec) { s.Template.VirtualMachine = nil },
	} {
		t.Run(name, func(t *testing.T) {
			field, _, _ := strings.Cut(name, ": ")
			err := write(t, admin, m, change)
			if err == nil || !strings.Contains(err.Error(), field+": a member stays what it was made as; change spec.") ||
				!strings.Contains(err.Error(), "and the member is replaced") {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	for name, change := range map[string]func(*v1alpha1.NomadNodeSpec){
		"nothing":      func(*v1alpha1.NomadNodeSpec) {},
		"connection":   func(s *v1alpha1.NomadNodeSpec) { s.Nomad.Address = "https://nomad.example.com:4646" },
		"region":       func(s *v1alpha1.NomadNodeSpec) { s.Nomad.Region = "other" },
		"credentials":  func(s *v1alpha1.NomadNodeSpec) { s.Nomad.CredentialsSecretRef = &v1alpha1.SecretRef{Name: "other"} },
		"drain policy": func(s *v1alpha1.NomadNodeSpec) { s.ScaleIn.Drain.OnTimeout = v1alpha1.DrainRetain },
		"join timeout": func(s *v1alpha1.NomadNodeSpec) { s.Health.JoinTimeout = metav1.Duration{Duration: 90 * time.Minute} },
		"purge":        func(s *v1alpha1.NomadNodeSpec) { s.ScaleIn.Purge = ptr.To(false) },
		"drain": func(s *v1alpha1.NomadNodeSpec) {
			s.Drain = &v1alpha1.DrainRequest{ID: "d", Reason: v1alpha1.DrainDeleted, RequestTime: metav1.Now(),
				DeadlineTime: metav1.Now()}
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := write(t, controller, m, change); err != nil {
				t.Error(err)
			}
		})
	}
}

// The samples are accepted by a Kubernetes API server, which also works out what our rules cost.
func TestSamplesAreAccepted(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a Kubernetes API server, which is part of the embedded environment")
	}
	admin, _ := startAPIServer(t)
	samples, err := testkube.DecodeDir(filepath.Join("..", "..", "config", "samples"))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range samples {
		if o.GetKind() != "NomadNodePool" {
			continue
		}
		o.SetNamespace("default")
		if err := admin.Create(t.Context(), o, client.DryRunAll); err != nil {
			t.Errorf("%s: %v", o.GetName(), err)
		}
	}
}

// A network's type says if it has a name. One that has a name and no type is a VLAN network.
func TestNetworksHaveWhatTheirTypeAsksFor(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a Kubernetes API server, which is part of the embedded environment")
	}
	admin, _ := startAPIServer(t)
	for name, c := range map[string]struct {
		networks []v1alpha1.Network
		refusal  string
	}{
		"a name":               {[]v1alpha1.Network{{Name: "default/vlan"}}, ""},
		"VLAN":                 {[]v1alpha1.Network{{Type: v1alpha1.NetworkVLAN, Name: "default/vlan"}}, ""},
		"management":           {[]v1alpha1.Network{{Type: v1alpha1.NetworkManagement}, {Name: "default/vlan"}}, ""},
		"nothing":              {[]v1alpha1.Network{{}}, "networks: name is missing"},
		"VLAN without a name":  {[]v1alpha1.Network{{Type: v1alpha1.NetworkVLAN}}, "networks: name is missing"},
		"management by a name": {[]v1alpha1.Network{{Type: v1alpha1.NetworkManagement, Name: "default/vlan"}}, "leave name out"},
		"another type":         {[]v1alpha1.Network{{Type: "Storage", Name: "default/vlan"}}, `"VLAN", "Management"`},
		"management twice":     {[]v1alpha1.Network{{Type: v1alpha1.NetworkManagement}, {Type: v1alpha1.NetworkManagement}}, "only once"},
	} {
		t.Run(name, func(t *testing.T) {
			p := fullPool(t)
			p.Namespace, p.Spec.Template.Networks = "default", c.networks
			err := admin.Create(t.Context(), untyped(t, p, "NomadNodePool"), client.DryRunAll)
			if c.refusal == "" && err != nil || c.refusal != "" && (err == nil || !strings.Contains(err.Error(), c.refusal)) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Who waits for an object by its status must not take a new one, which no controller has seen, for one that is ready.
func TestNewObjectsAreNotCurrent(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a Kubernetes API server, which is part of the embedded environment")
	}
	admin, controller := startAPIServer(t)
	p := fullPool(t)
	p.Namespace, p.UID = "default", ""
	m := newNode(&scope{pool: p, snapshot: pool.Snapshot{Revision: "r"}}, "build-a",
		"11111111-2222-3333-4444-555555555555")
	m.OwnerReferences, m.Spec.PoolUID = nil, "u"
	for c, o := range map[client.Client]*unstructured.Unstructured{
		admin: untyped(t, p, "NomadNodePool"), controller: untyped(t, m, "NomadNode"),
	} {
		if err := c.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if err := admin.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
			t.Fatal(err)
		}
		if is, err := status.Compute(o); err != nil || is.Status != status.InProgressStatus {
			t.Errorf("%s: %+v, %v", o.GetKind(), is, err)
		}
	}
}

// What is as long as a Kubernetes or Nomad name may be is accepted.
func TestTheLongestNamesAreAccepted(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a Kubernetes API server, which is part of the embedded environment")
	}
	admin, _ := startAPIServer(t)
	label, host := strings.Repeat("a", 63), strings.Repeat(strings.Repeat("h", 49)+".", 5)+"hhh" // 253
	p := fullPool(t)
	p.Namespace, p.Name = "default", strings.Repeat("p", 40)
	p.Spec.Nomad.Address = "https://" + host + ":65535/"
	p.Spec.Nomad.Servers = []string{host + ":65535"}
	p.Spec.Nomad.NodePool = strings.Repeat("n", 128)
	p.Spec.Nomad.CredentialsSecretRef = &v1alpha1.SecretRef{Name: host}
	p.Spec.Template.Disks[0].Name, p.Spec.Template.Disks[1].StorageClassName = strings.Repeat("d", 15), host
	p.Spec.Template.Disks[0].Image, p.Spec.Template.SSHKeys = label+"/"+host, []string{label + "/" + host}
	p.Spec.Template.CloudInit.UserData = ""
	p.Spec.Template.CloudInit.UserDataSecretRef = &v1alpha1.SecretKeyRef{Name: host, Key: strings.Repeat("k", 253)}
	p.Spec.Health.JoinTimeout = metav1.Duration{Duration: 1<<63 - 1 - 854775807} // whole microseconds
	if err := admin.Create(t.Context(), untyped(t, p, "NomadNodePool"), client.DryRunAll); err != nil {
		t.Error(err)
	}
}

// write changes a member's spec, as far as the API server lets it, by a patch of what differs. Nothing is kept.
func write(t *testing.T, c client.Client, m *v1alpha1.NomadNode, change func(*v1alpha1.NomadNodeSpec)) error {
	t.Helper()
	now := m.DeepCopy()
	change(&now.Spec)
	body, err := client.MergeFrom(m).Data(now)
	if err != nil {
		t.Fatal(err)
	}
	return c.Patch(t.Context(), untyped(t, now, "NomadNode"), client.RawPatch(types.MergePatchType, body),
		client.DryRunAll)
}

// untyped is an object for a client that doesn't know our kinds.
func untyped(t *testing.T, o client.Object, kind string) *unstructured.Unstructured {
	t.Helper()
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{Object: fields}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	return u
}

func overlay(text string) *runtime.RawExtension {
	return &runtime.RawExtension{Raw: []byte(text)}
}

// fullPool is the sample with every field, with two servers and three disks, so that there is an order to change.
func fullPool(t *testing.T) *v1alpha1.NomadNodePool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "samples", "everything.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	objects, err := testkube.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	p := &v1alpha1.NomadNodePool{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(firstPool(t, objects).Object, p); err != nil {
		t.Fatal(err)
	}
	p.UID, p.Spec.Nomad.Servers = "u", []string{"a.example.com", "b.example.com"}
	p.Spec.Template.Disks = append(p.Spec.Template.Disks,
		v1alpha1.Disk{Name: "more", Size: resource.MustParse("2Gi"), StorageClassName: "s"})
	return p
}

func firstPool(t *testing.T, objects []*unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	for _, o := range objects {
		if o.GetKind() == "NomadNodePool" {
			return o
		}
	}
	t.Fatal("no pool in the sample")
	return nil
}
