package controllers

import (
	"os"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"

	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// The controller finds its own credentials where the Deployment puts them, and starts without them: the Secret may come later.
func TestDeploymentMountsTheOwnCredentials(t *testing.T) {
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
	if len(c.VolumeMounts) != 1 || len(pod.Volumes) != 1 || len(c.EnvFrom) > 0 {
		t.Fatalf("got %+v and %+v", pod.Volumes, c)
	}
	mount, volume := c.VolumeMounts[0], pod.Volumes[0]
	if mount.Name != volume.Name || mount.MountPath != config.NomadCredentialsDir || mount.SubPath != "" { // kubelet doesn't update a sub-path
		t.Errorf("mounted %+v, read from %q", mount, config.NomadCredentialsDir)
	}
	if s := volume.Secret; s == nil || s.SecretName != nomad.OwnSecret || s.Optional == nil || !*s.Optional {
		t.Errorf("got %+v", volume)
	}
}

func TestStrayArgumentsAreRefused(t *testing.T) {
	if _, err := ParseFlags([]string{"--workers=3", "leader-elect"}); err == nil || !strings.Contains(err.Error(), `"leader-elect"`) {
		t.Errorf("got %v", err)
	}
}
