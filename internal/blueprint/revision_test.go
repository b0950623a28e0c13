package blueprint_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
	"github.com/nomad-harvester/nomad-harvester/internal/harvestertemplate/harvestertemplatetest"
)

// These values are in users' clusters: if one changes here, an upgrade of the controller replaces every member there.
func TestRevisionIsStable(t *testing.T) {
	tmpl, client := blueprinttest.Template(), blueprinttest.Client()
	if got, want := blueprint.Revision(&tmpl, &client, ""), "v1-e44150036b"; got != want {
		t.Errorf("Revision = %q, want %q", got, want)
	}
	tmpl.Labels = map[string]string{"team": "data"}
	tmpl.Annotations = map[string]string{"note": "x"}
	tmpl.CloudInit = v1alpha1.CloudInit{
		UserDataSecretRef:    &v1alpha1.SecretKeyRef{Name: "site", Key: "user"},
		NetworkDataSecretRef: &v1alpha1.SecretKeyRef{Name: "site", Key: "net"},
		GuestAgent:           true,
	}
	tmpl.VirtualMachine = blueprinttest.Overlay(`{"template":{"spec":{"priorityClassName":"low"}}}`)
	if got, want := blueprint.Revision(&tmpl, &client, "eu"), "v1-18dfb5ff9b"; got != want {
		t.Errorf("Revision = %q, want %q", got, want)
	}
	from := harvestertemplatetest.Resolved(t, v1alpha1.NodeTemplate{}, harvestertemplatetest.Version(t))
	if got, want := blueprint.Revision(from, &client, ""), "v1-5fa03d07b2"; got != want {
		t.Errorf("of a resolved template: %q, want %q", got, want)
	}
	if errs := validation.IsValidLabelValue(blueprint.Revision(&tmpl, &client, "eu")); len(errs) > 0 {
		t.Error(errs)
	}
}

func installs(i v1alpha1.NomadInstall) func(*v1alpha1.NodeTemplate, *v1alpha1.NomadClient, *string) {
	return func(_ *v1alpha1.NodeTemplate, c *v1alpha1.NomadClient, _ *string) { c.Install = &i }
}

func TestRevisionOfAChecksumHasNoCase(t *testing.T) {
	tmpl, client := blueprinttest.Template(), blueprinttest.Client()
	client.Install = &v1alpha1.NomadInstall{Download: blueprinttest.Download()}
	upper := blueprint.Revision(&tmpl, &client, "")
	client.Install.Download.SHA256 = strings.ToLower(client.Install.Download.SHA256)
	if lower := blueprint.Revision(&tmpl, &client, ""); lower != upper {
		t.Errorf("%s and %s", upper, lower)
	}
}

func TestRevisionChanges(t *testing.T) {
	type change func(t *v1alpha1.NodeTemplate, c *v1alpha1.NomadClient, region *string)
	same := map[string]change{
		"default os":         func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) { t.OS = "linux" },
		"default network":    func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) { t.Networks[0].Type = "VLAN" },
		"default node pool":  func(_ *v1alpha1.NodeTemplate, c *v1alpha1.NomadClient, _ *string) { c.NodePool = "default" },
		"default datacenter": func(_ *v1alpha1.NodeTemplate, c *v1alpha1.NomadClient, _ *string) { c.Datacenter = "dc1" },
		"default region":     func(_ *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, r *string) { *r = "global" },
		"other unit of memory": func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) {
			t.Memory = resource.MustParse("34359738368")
		},
		"other unit of a disk": func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) {
			t.Disks[0].Size = resource.MustParse("40960Mi")
		},
		"empty maps": func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) {
			t.Labels, t.Annotations = map[string]string{}, map[string]string{}
		},
		"empty list": func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) { t.SSHKeys = []string{} },
		"empty overlay": func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) {
			t.VirtualMachine = blueprinttest.Overlay(` {} `)
		},
		"introduction token": func(_ *v1alpha1.NodeTemplate, c *v1alpha1.NomadClient, _ *string) {
			c.IntroductionToken = v1alpha1.IntroductionNever
		},
	}
	other := map[string]change{
		"cpu": func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) { t.CPU++ },
		"memory": func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) {
			t.Memory = resource.MustParse("33Gi")
		},
		"os":          func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) { t.OS = "debian" },
		"description": func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) { t.Description = "x" },
		"disk name":   func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) { t.Disks[0].Name = "x" },
		"disk size": func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) {
			t.Disks[0].Size = resource.MustParse("41Gi")
		},
		"image":         func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) { t.Disks[0].Image = "a/b" },
		"storage class": func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) { t.Disks[1].StorageClassName = "x" },
		"network":       func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) { t.Networks[0].Name = "a/b" },
		"management": func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) {
			t.Networks[0] = v1alpha1.Network{Type: v1alpha1.NetworkManagement}
		},
		"key pair": func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) { t.SSHKeys = []string{"a/b"} },
		"user data": func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) {
			t.CloudInit.UserData = "#cloud-config"
		},
		"user data Secret": func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) {
			t.CloudInit.UserDataSecretRef = &v1alpha1.SecretKeyRef{Name: "a", Key: "b"}
		},
		"network data": func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) {
			t.CloudInit.NetworkData = "version: 1"
		},
		"net data Secret": func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) {
			t.CloudInit.NetworkDataSecretRef = &v1alpha1.SecretKeyRef{Name: "a", Key: "b"}
		},
		"guest agent": func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) { t.CloudInit.GuestAgent = true },
		"labels": func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) {
			t.Labels = map[string]string{"a": "b"}
		},
		"annotations": func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) {
			t.Annotations = map[string]string{"a": "b"}
		},
		"overlay": func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) {
			t.VirtualMachine = blueprinttest.Overlay(`{"running":true}`)
		},
		"overlay not JSON": func(t *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, _ *string) {
			t.VirtualMachine = blueprinttest.Overlay(`{`)
		},
		"region":     func(_ *v1alpha1.NodeTemplate, _ *v1alpha1.NomadClient, r *string) { *r = "eu" },
		"servers":    func(_ *v1alpha1.NodeTemplate, c *v1alpha1.NomadClient, _ *string) { c.Servers = c.Servers[:1] },
		"node pool":  func(_ *v1alpha1.NodeTemplate, c *v1alpha1.NomadClient, _ *string) { c.NodePool = "x" },
		"node class": func(_ *v1alpha1.NodeTemplate, c *v1alpha1.NomadClient, _ *string) { c.NodeClass = "x" },
		"datacenter": func(_ *v1alpha1.NodeTemplate, c *v1alpha1.NomadClient, _ *string) { c.Datacenter = "x" },
		"reserved": func(_ *v1alpha1.NodeTemplate, c *v1alpha1.NomadClient, _ *string) {
			c.Reserved = &v1alpha1.NomadReserved{CPU: 500}
		},
		"reserved memory": func(_ *v1alpha1.NodeTemplate, c *v1alpha1.NomadClient, _ *string) {
			c.Reserved = &v1alpha1.NomadReserved{Memory: resource.MustParse("500Mi")}
		},
		"reserved disk": func(_ *v1alpha1.NodeTemplate, c *v1alpha1.NomadClient, _ *string) {
			c.Reserved = &v1alpha1.NomadReserved{Disk: resource.MustParse("500Mi")}
		},
		"client TLS": func(_ *v1alpha1.NodeTemplate, c *v1alpha1.NomadClient, _ *string) {
			c.ClientTLSSecretRef = &v1alpha1.SecretRef{Name: "tls"}
		},
		"apt": installs(v1alpha1.NomadInstall{Apt: &v1alpha1.AptInstall{Source: "deb https://a b"}}),
		"apt key": installs(
			v1alpha1.NomadInstall{Apt: &v1alpha1.AptInstall{Source: "deb https://a b", Key: "k"}},
		),
		"apt version": installs(
			v1alpha1.NomadInstall{Apt: &v1alpha1.AptInstall{Source: "deb https://a b", Version: "1"}},
		),
		"download": installs(
			v1alpha1.NomadInstall{Download: &v1alpha1.DownloadInstall{URL: "https://a/b", SHA256: "ab"}},
		),
		"download's checksum": installs(
			v1alpha1.NomadInstall{Download: &v1alpha1.DownloadInstall{URL: "https://a/b", SHA256: "ac"}},
		),
		"meta": func(_ *v1alpha1.NodeTemplate, c *v1alpha1.NomadClient, _ *string) {
			c.Meta = map[string]string{"rack": "r2"}
		},
	}
	with := func(f change) string {
		tmpl, client, region := blueprinttest.Template(), blueprinttest.Client(), ""
		tmpl.OS, tmpl.SSHKeys, client.NodePool = "", nil, ""
		if f != nil {
			f(&tmpl, &client, &region)
		}
		return blueprint.Revision(&tmpl, &client, region)
	}
	for name, f := range same {
		if with(f) != with(nil) {
			t.Errorf("%s: the revision changes", name)
		}
	}
	seen := map[string]string{with(nil): "no change"}
	for name, f := range other {
		if twin, known := seen[with(f)]; known {
			t.Errorf("%s has the revision of %s", name, twin)
		}
		seen[with(f)] = name
	}
}
