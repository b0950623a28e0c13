// Command kvmanifests writes the manifests KubeVirt's operator would apply, from
// the operator's own generators: custom resource definitions, RBAC, webhook
// configurations and API services. The test world applies them itself, because
// it runs KubeVirt's components as plain processes.
//
// The output directory gets one file per object:
//
//	crds/<name>.yaml  rbac/<nnn>-<kind>-<name>.yaml  webhooks/<kind>-<name>.yaml  misc/<kind>-<name>.yaml
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	extv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/components"
	"kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/rbac"
	"sigs.k8s.io/yaml"
)

func main() {
	out := flag.String("out", "", "directory to write to")
	namespace := flag.String("namespace", "harvester-system", "namespace KubeVirt runs in")
	flag.Parse()
	if err := run(*out, *namespace); err != nil {
		fmt.Fprintln(os.Stderr, "kvmanifests:", err)
		os.Exit(1)
	}
}

func run(out, namespace string) error {
	if out == "" {
		return errors.New("-out is required")
	}
	crds, err := customResourceDefinitions()
	if err != nil {
		return err
	}
	for _, group := range []struct {
		dir     string
		objects []runtime.Object
		name    func(i int, kind, name string) string
	}{
		{"crds", crds, func(_ int, _, name string) string { return name }},
		{"rbac", permissions(namespace), func(i int, kind, name string) string { return fmt.Sprintf("%03d-%s-%s", i, kind, name) }},
		{"webhooks", webhooks(namespace), func(_ int, kind, name string) string { return kind + "-" + name }},
		{"misc", []runtime.Object{components.NewApiServerService(namespace), components.NewKubeVirtPriorityClassCR()},
			func(_ int, kind, name string) string { return kind + "-" + name }},
	} {
		dir := filepath.Join(out, group.dir)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		for i, object := range group.objects {
			if err := write(dir, object, func(kind, name string) string { return group.name(i, kind, name) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// customResourceDefinitions are all of KubeVirt's, with their schemas.
func customResourceDefinitions() ([]runtime.Object, error) {
	var out []runtime.Object
	for _, generate := range []func() (*extv1.CustomResourceDefinition, error){
		components.NewVirtualMachineInstanceCrd,
		components.NewVirtualMachineCrd,
		components.NewPresetCrd,
		components.NewReplicaSetCrd,
		components.NewVirtualMachineInstanceMigrationCrd,
		components.NewKubeVirtCrd,
		components.NewVirtualMachinePoolCrd,
		components.NewVirtualMachineSnapshotCrd,
		components.NewVirtualMachineSnapshotContentCrd,
		components.NewVirtualMachineRestoreCrd,
		components.NewVirtualMachineExportCrd,
		components.NewVirtualMachineInstancetypeCrd,
		components.NewVirtualMachineClusterInstancetypeCrd,
		components.NewVirtualMachinePreferenceCrd,
		components.NewVirtualMachineClusterPreferenceCrd,
		components.NewMigrationPolicyCrd,
		components.NewVirtualMachineCloneCrd,
	} {
		crd, err := generate()
		if err != nil {
			return nil, err
		}
		out = append(out, crd)
	}
	return out, nil
}

func permissions(namespace string) []runtime.Object {
	var out []runtime.Object
	out = append(out, rbac.GetAllCluster()...)
	out = append(out, rbac.GetAllController(namespace)...)
	out = append(out, rbac.GetAllApiServer(namespace)...)
	return append(out, rbac.GetAllHandler(namespace)...)
}

func webhooks(namespace string) []runtime.Object {
	out := []runtime.Object{
		components.NewVirtAPIMutatingWebhookConfiguration(namespace),
		components.NewVirtAPIValidatingWebhookConfiguration(namespace),
	}
	for _, service := range components.NewVirtAPIAPIServices(namespace) {
		out = append(out, service)
	}
	return out
}

// write stores one object as YAML, without the status the generators leave in.
func write(dir string, object runtime.Object, name func(kind, name string) string) error {
	raw, err := json.Marshal(object)
	if err != nil {
		return err
	}
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		return err
	}
	delete(fields, "status")
	text, err := yaml.Marshal(fields)
	if err != nil {
		return err
	}
	accessor, err := meta.Accessor(object)
	if err != nil {
		return err
	}
	kind := strings.ToLower(object.GetObjectKind().GroupVersionKind().Kind)
	// A colon is legal in the name of a role, but awkward in that of a file.
	file := name(kind, strings.ReplaceAll(accessor.GetName(), ":", "-")) + ".yaml"
	return os.WriteFile(filepath.Join(dir, file), text, 0o644)
}
