package controllers

import (
	"fmt"
	"os"
	"path"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
)

// The controller finds its default credentials where the Deployment puts them, and starts without them: the Secret may
// come later.
func TestDeploymentMountsTheDefaultCredentials(t *testing.T) {
	text, err := os.ReadFile("../config/manager/deployment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d := &appsv1.Deployment{}
	if err := yaml.UnmarshalStrict(text, d); err != nil {
		t.Fatal(err)
	}
	pod := d.Spec.Template.Spec
	c := pod.Containers[0]
	config, err := ParseFlags(c.Args[1:])
	if err != nil || c.Args[0] != "controller" {
		t.Fatalf("args %q: %v", c.Args, err)
	}
	if len(c.EnvFrom) > 0 {
		t.Errorf("got %+v", c.EnvFrom)
	}
	for dir, secret := range map[string]string{
		config.NomadCredentialsDir: nomadlink.DefaultsSecret, config.Metrics.CertDir: "nomad-harvester-metrics-tls"} {
		mount, volume := mounted(t, pod, dir)
		if mount.SubPath != "" { // kubelet doesn't update a sub-path
			t.Errorf("mounted %+v", mount)
		}
		if s := volume.Secret; s == nil || s.SecretName != secret || s.Optional == nil || !*s.Optional {
			t.Errorf("got %+v", volume)
		}
	}
	mount, volume := mounted(t, pod, path.Dir(config.NomadAuthTokenFile))
	if mount.SubPath != "" || volume.Projected == nil || len(volume.Projected.Sources) != 1 {
		t.Fatalf("mounted %+v of %+v", mount, volume)
	}
	// The API server would take a token without an audience of its own, so Nomad could act as the controller.
	if s := volume.Projected.Sources[0].ServiceAccountToken; s == nil || s.Audience == "" ||
		s.Path != path.Base(config.NomadAuthTokenFile) {
		t.Errorf("got %+v", volume.Projected.Sources)
	}
}

// As installed, pools can't have Harvester's own Pods and Services dialled, and what the flags say is read. What is no
// range is an error: an operator who mistypes one mustn't believe that it is denied.
func TestPoolsReachNothingOfTheClustersOwn(t *testing.T) {
	d := &appsv1.Deployment{}
	readYAML(t, "../config/manager/deployment.yaml", d)
	config, err := ParseFlags(append(d.Spec.Template.Spec.Containers[0].Args[1:],
		"--nomad-denied-cidrs=fd00::/64", "--nomad-allowed-cidrs=10.53.7.7/32"))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(config.NomadAddresses.Denied, config.NomadAddresses.Allowed); got != "[10.52.0.0/16 10.53.0.0/16 fd00::/64] [10.53.7.7/32]" {
		t.Errorf("got %s", got)
	}
	for _, flag := range []string{"--nomad-denied-cidrs=10.53.0.0", "--nomad-allowed-cidrs=all"} {
		if _, err := ParseFlags([]string{flag}); err == nil || !strings.Contains(err.Error(), "is not a range") {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

// mounted is what the controller finds at a path.
func mounted(t *testing.T, pod corev1.PodSpec, at string) (corev1.VolumeMount, corev1.Volume) {
	t.Helper()
	for _, mount := range pod.Containers[0].VolumeMounts {
		for _, volume := range pod.Volumes {
			if mount.MountPath == at && volume.Name == mount.Name {
				return mount, volume
			}
		}
	}
	t.Fatalf("nothing is mounted at %q", at)
	return corev1.VolumeMount{}, corev1.Volume{}
}

func TestStrayArgumentsAreRefused(t *testing.T) {
	if _, err := ParseFlags([]string{"--workers=3", "leader-elect"}); err == nil ||
		!strings.Contains(err.Error(), `"leader-elect"`) {
		t.Errorf("got %v", err)
	}
}

// A host can be drained of the controller however many replicas there are: the chart lets people have one.
func TestABudgetLetsASingleControllerBeEvicted(t *testing.T) {
	text, err := os.ReadFile("../config/manager/disruption_budget.yaml")
	if err != nil {
		t.Fatal(err)
	}
	b := &policyv1.PodDisruptionBudget{}
	if err := yaml.UnmarshalStrict(text, b); err != nil {
		t.Fatal(err)
	}
	if b.Spec.MinAvailable != nil || b.Spec.MaxUnavailable == nil || b.Spec.MaxUnavailable.String() != "1" {
		t.Errorf("got minAvailable %v, maxUnavailable %v; want maxUnavailable 1 alone", b.Spec.MinAvailable,
			b.Spec.MaxUnavailable)
	}
}

// The Deployment and the chart set GOMEMLIMIT, with some reserve for what isn't on Go's heap.
func TestGoKnowsTheMemoryLimit(t *testing.T) {
	d := &appsv1.Deployment{}
	readYAML(t, "../config/manager/deployment.yaml", d)
	var values struct {
		Resources  corev1.ResourceRequirements
		GoMemLimit string
	}
	readYAML(t, "../charts/nomad-harvester/values.yaml", &values)
	c := d.Spec.Template.Spec.Containers[0]
	env := map[string]string{}
	for _, e := range c.Env {
		env[e.Name] = e.Value
	}
	for what, is := range map[string]struct {
		limit corev1.ResourceRequirements
		value string
	}{"deployment": {c.Resources, env["GOMEMLIMIT"]}, "chart": {values.Resources, values.GoMemLimit}} {
		given, err := resource.ParseQuantity(strings.TrimSuffix(is.value, "B"))
		limit := is.limit.Limits.Memory().Value()
		if share := float64(given.Value()) / float64(limit); err != nil || share < 0.85 || share > 0.9 {
			t.Errorf("%s: GOMEMLIMIT is %q, %.2f of the limit of %d: %v", what, is.value, share, limit, err)
		}
	}
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}
