package preflight

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/cloudinit"
)

func templateObject(ref, defaultVersion string) client.Object {
	return unstructuredObject(TemplateKind, ref,
		map[string]any{"spec": map[string]any{"defaultVersionId": defaultVersion}})
}

// versionObject has one volume, of cloud-init.
func versionObject(ref string, cloudInit map[string]any) client.Object {
	return unstructuredObject(TemplateVersionKind, ref,
		map[string]any{"spec": map[string]any{"templateId": "default/build", "vm": map[string]any{
			"metadata": map[string]any{"labels": map[string]any{"team": "data"}},
			"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"volumes": []any{
				map[string]any{"name": "cloudinitdisk", "cloudInitNoCloud": cloudInit},
			}}}},
		}}})
}

func TestReadTemplate(t *testing.T) {
	r := reader(t, templateObject("default/build", "default/build-2"), templateObject("default/empty", ""),
		templateObject("default/dangling", "default/gone"), versionObject("default/build-1", nil),
		versionObject("default/build-2", nil),
		unstructuredObject(TemplateVersionKind, "default/broken",
			map[string]any{"spec": map[string]any{"vm": map[string]any{"metadata": "x"}}}))
	template := func(name string) v1alpha1.TemplateSource {
		return v1alpha1.TemplateSource{Kind: v1alpha1.KindTemplate, Name: name}
	}
	fixed := func(name string) v1alpha1.TemplateSource {
		return v1alpha1.TemplateSource{Kind: v1alpha1.KindTemplateVersion, Name: name}
	}
	for name, tt := range map[string]struct {
		from          v1alpha1.TemplateSource
		want, problem string
	}{
		"default version": {template("default/build"), "default/build-2", ""},
		"fixed version":   {fixed("default/build-1"), "default/build-1", ""},
		"no template": {template("default/none"), "",
			`spec.template.from.name: VirtualMachineTemplate "default/none" doesn't exist; ` +
				`create it or name another, as namespace/name (kubectl get virtualmachinetemplates.harvesterhci.io -A)`},
		"no version": {fixed("default/none"), "",
			`spec.template.from.name: VirtualMachineTemplateVersion "default/none" doesn't exist; ` +
				`create it or name another, as namespace/name (kubectl get virtualmachinetemplateversions.harvesterhci.io -A)`},
		"no default": {template("default/empty"), "",
			`spec.template.from.name: VirtualMachineTemplate "default/empty" has no default version; ` +
				`choose one in Harvester's UI (Advanced > Templates), or name a VirtualMachineTemplateVersion`},
		"default is gone": {template("default/dangling"), "",
			`spec.template.from.name: VirtualMachineTemplateVersion "default/gone" doesn't exist; ` +
				`create it or name another, as namespace/name (kubectl get virtualmachinetemplateversions.harvesterhci.io -A)`},
		"not a name": {fixed("none"), "", `spec.template.from.name: VirtualMachineTemplateVersion "none" doesn't exist; ` +
			`create it or name another, as namespace/name (kubectl get virtualmachinetemplateversions.harvesterhci.io -A)`},
		"broken": {fixed("default/broken"), "",
			`spec.template.from.name: VirtualMachineTemplateVersion "default/broken": its spec.vm.metadata ` +
				`is not an object with labels and annotations; name another`},
	} {
		t.Run(name, func(t *testing.T) {
			v, problem, err := ReadTemplate(t.Context(), r, tt.from)
			if err != nil {
				t.Fatal(err)
			}
			if tt.problem != "" {
				if problem == nil || problem.Message != tt.problem {
					t.Errorf("got %+v", problem)
				}
				return
			}
			if problem != nil || v.Name != tt.want || v.Labels["team"] != "data" || v.Spec == nil {
				t.Errorf("got %+v, %+v", v, problem)
			}
		})
	}
}

func TestReadTemplateFailsWithoutAnAnswer(t *testing.T) {
	down := errors.New("connection refused")
	for _, kind := range []string{v1alpha1.KindTemplate, v1alpha1.KindTemplateVersion} {
		if _, _, err := ReadTemplate(t.Context(), failing{err: down}, v1alpha1.TemplateSource{Kind: kind, Name: "a/b"}); !errors.Is(
			err, down) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// shared is a template that shares its cloud-init.
func shared(ref, namespaces string) client.Object {
	template := templateObject(ref, "")
	template.SetAnnotations(map[string]string{v1alpha1.ShareCloudInitAnnotation: namespaces})
	return template
}

// of is a version of another template than default/build.
func of(template string, version client.Object) client.Object {
	version.(*unstructured.Unstructured).Object["spec"].(map[string]any)["templateId"] = template
	return version
}

// Who may make pools here might not be allowed to read Secrets elsewhere.
func TestCloudInitOfAVersion(t *testing.T) {
	secret := func(namespace, name string, mark func(*corev1.Secret)) *corev1.Secret {
		s := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Data:       map[string][]byte{"userdata": []byte("user"), "networkdata": []byte("net")},
		}
		mark(s)
		return s
	}
	unmarked := func(*corev1.Secret) {}
	both := func(name string) map[string]any {
		return map[string]any{"secretRef": map[string]any{"name": name}, "networkDataSecretRef": map[string]any{"name": name}}
	}
	r := reader(
		t,
		secret("default", "by-ui",
			func(s *corev1.Secret) { s.Labels = map[string]string{cloudinit.SecretLabel: "harvester"} }),
		secret("default", "generated", func(s *corev1.Secret) {
			s.OwnerReferences = []metav1.OwnerReference{
				{APIVersion: "harvesterhci.io/v1beta1", Kind: v1alpha1.KindTemplateVersion, Name: "generated", UID: "u"}}
			s.Data = map[string][]byte{"userData": []byte("user"), "networkData": []byte("net")}
		}),
		secret("default", "password", unmarked),
		secret("pools", "own", unmarked),
		versionObject("default/by-ui", both("by-ui")),
		versionObject("default/generated", both("generated")),
		versionObject("default/thief", both("password")),
		versionObject("pools/own", both("own")),
		versionObject("default/dangling", both("gone")),
		versionObject("default/inline", map[string]any{"userData": "user", "networkDataBase64": "bmV0"}),
		versionObject("default/garbled", map[string]any{"userDataBase64": "%"}),
		shared("default/build", " other, pools"),
		secret("private", "by-ui",
			func(s *corev1.Secret) { s.Labels = map[string]string{cloudinit.SecretLabel: "harvester"} }),
		shared("private/other", "others"),
		of("private/other", versionObject("private/unshared", both("by-ui"))),
		shared("private/public", "*"),
		of("private/public", versionObject("private/for-all", both("by-ui"))),
		of("private/none", versionObject("private/orphan", both("by-ui"))),
		of("default/build", versionObject("private/of-another", both("by-ui"))),
	)
	refused := func(version, template string) string {
		return `spec.template.from.name: VirtualMachineTemplateVersion "` + version +
			`": its cloud-init Secret is in namespace "private", and whoever makes pools ` +
			`in namespace "pools" might not be allowed to read it there; copy the template into the pool's namespace, or have somebody who may share it say so ` +
			`(kubectl annotate virtualmachinetemplates.harvesterhci.io -n private ` + template +
			` nomad.harvesterhci.io/share-cloud-init=pools)`
	}
	has := &blueprint.TemplateCloudInit{UserData: "user", NetworkData: "net"}
	for name, tt := range map[string]struct {
		want    *blueprint.TemplateCloudInit
		problem string
	}{
		"default/by-ui":      {has, ""},
		"default/generated":  {has, ""},
		"default/inline":     {has, ""},
		"pools/own":          {has, ""},
		"private/for-all":    {has, ""},
		"private/unshared":   {nil, refused("private/unshared", "other")},
		"private/orphan":     {nil, refused("private/orphan", "none")},
		"private/of-another": {nil, refused("private/of-another", "build")},
		"default/thief": {nil,
			`spec.template.from.name: VirtualMachineTemplateVersion "default/thief": its cloud-init Secret "password" is in another namespace ` +
				`than the pool and isn't marked as a template's; make a new version in Harvester's UI, which marks it`},
		"default/dangling": {nil,
			`spec.template.from.name: VirtualMachineTemplateVersion "default/dangling": its cloud-init Secret "gone" doesn't exist in namespace "default"; make a new version`},
		"default/garbled": {nil,
			`spec.template.from.name: VirtualMachineTemplateVersion "default/garbled": its cloud-init: illegal base64 data at input byte 0; correct it in a new version`},
		"default/none": {nil, `spec.template.from.name: VirtualMachineTemplateVersion "default/none" doesn't exist; ` +
			`create it or name another, as namespace/name (kubectl get virtualmachinetemplateversions.harvesterhci.io -A)`},
	} {
		t.Run(name, func(t *testing.T) {
			tmpl := v1alpha1.NodeTemplate{From: &v1alpha1.TemplateSource{Kind: v1alpha1.KindTemplateVersion, Name: name}}
			f, err := Gather(t.Context(), r, "pools", &tmpl, &v1alpha1.NomadClient{})
			if err != nil {
				t.Fatal(err)
			}
			if tt.want != nil {
				if diff := cmp.Diff(tt.want, f.From); diff != "" {
					t.Error(diff)
				}
				return
			}
			if f.From.Problem == nil || f.From.Problem.Message != tt.problem || f.From.UserData != "" {
				t.Errorf("got %+v %+v", f.From, f.From.Problem)
			}
		})
	}
}
