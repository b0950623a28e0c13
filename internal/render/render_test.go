package render_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
	"github.com/nomad-harvester/nomad-harvester/internal/preflight"
	"github.com/nomad-harvester/nomad-harvester/internal/render"
	"github.com/nomad-harvester/nomad-harvester/internal/render/rendertest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// yamlOf is the two objects as they are sent, with the Secret's data in clear text.
func yamlOf(t *testing.T, r *render.Objects) string {
	t.Helper()
	secret := r.Secret.DeepCopy()
	secret.StringData = map[string]string{}
	for key, value := range secret.Data {
		secret.StringData[key] = string(value)
	}
	secret.Data = nil
	var text string
	for _, obj := range []any{secret, r.VM} {
		doc, err := yaml.Marshal(obj)
		if err != nil {
			t.Fatal(err)
		}
		text += "---\n" + string(doc)
	}
	return text
}

// A change of the golden files is a change of what runs at users: members of the same revision would then differ.
func TestRenderGolden(t *testing.T) {
	full := blueprinttest.Member()
	full.Region, full.IntroductionToken = "eu", "eyJ.abc.def"
	full.Client.NodeClass, full.Client.Datacenter = "big", "fra1"
	full.Template.CloudInit = v1alpha1.CloudInit{
		UserData:    "#cloud-config\npackages: [jq]\nruncmd:\n- echo hello\n",
		NetworkData: "version: 2\nethernets:\n  enp1s0: {dhcp4: true}\n",
		GuestAgent:  true,
	}
	full.Template.Labels = map[string]string{"team": "data"}
	full.Template.Annotations = map[string]string{"note": "x"}
	full.Template.VirtualMachine = blueprinttest.Overlay(
		`{"template":{"spec":{"domain":{"devices":{"disks":[{"name":"data","cache":"none"}]}}}}}`,
	)

	full.ACL = true
	full.Client.Reserved = &v1alpha1.NomadReserved{CPU: 500, Memory: resource.MustParse("512Mi"),
		Disk: resource.MustParse("2Gi")}

	fromApt, fetched := blueprinttest.Member(), blueprinttest.Member()
	fromApt.Template.CloudInit = v1alpha1.CloudInit{GuestAgent: true,
		UserData: "#cloud-config\napt: {conf: 'Acquire::Retries \"3\";'}\npackages: [docker.io]\n"}
	fromApt.Client.Install = &v1alpha1.NomadInstall{Apt: blueprinttest.Apt()}
	fetched.Client.Install = &v1alpha1.NomadInstall{Download: blueprinttest.Download()}

	for name, m := range map[string]blueprint.Member{"plain": blueprinttest.Member(), "full": full, "apt": fromApt,
		"download": fetched} {
		t.Run(name, func(t *testing.T) {
			got := yamlOf(t, rendertest.Member(t, m, blueprinttest.Facts()))
			golden := filepath.Join("testdata", name+".yaml")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s differs (go test -update writes it anew):\n%s", golden, got)
			}
		})
	}
}

func TestRenderIsDeterministic(t *testing.T) {
	for name, m := range matrix() {
		first := yamlOf(t, rendertest.Member(t, m, blueprinttest.Facts()))
		for range 5 {
			if again := yamlOf(t, rendertest.Member(t, m, blueprinttest.Facts())); again != first {
				t.Fatalf("%s: two renders differ:\n%s\n%s", name, first, again)
			}
		}
	}
}

func TestRenderLeavesItsInputAlone(t *testing.T) {
	m, f := blueprinttest.Member(), blueprinttest.Facts()
	r := rendertest.Member(t, m, f)
	before := yamlOf(t, r)
	r.VM.Labels["x"], r.VM.Spec.Template.ObjectMeta.Labels["x"] = "y", "y"
	r.VM.Spec.Template.Spec.Domain.Devices.Disks[0].Name = "x"
	if after := yamlOf(t, rendertest.Member(t, m, f)); after != before {
		t.Errorf("changing what was rendered changed the next render:\n%s", after)
	}
}

func TestRenderRefusesWhatCheckFinds(t *testing.T) {
	f := blueprinttest.Facts()
	delete(f.Images, blueprinttest.Image)
	delete(f.KeyPairs, blueprinttest.KeyPair)
	m := blueprinttest.Member()
	_, err := render.Member(m, f)
	var invalid *render.InvalidError
	if !errors.As(err, &invalid) {
		t.Fatalf("Render = %v, want an InvalidError", err)
	}
	if want := preflight.Check(&m.Template, &m.Client, f); !slices.Equal(invalid.Problems, want) || len(want) != 2 {
		t.Errorf("problems %v, want %v", invalid.Problems, want)
	}
	if want := invalid.Problems[0].Message + "; " + invalid.Problems[1].Message; err.Error() != want {
		t.Errorf("Error() = %q, want %q", err, want)
	}
}

// However long user data gets, it is never inlined: KubeVirt takes 2048 bytes at most there.
func TestLongUserDataIsNotInlined(t *testing.T) {
	m := blueprinttest.Member()
	for _, length := range []int{0, 2047, 2048, 2049, 60000} {
		m.Template.CloudInit.UserData = "#cloud-config\nfinal_message: " + "x" + strings.Repeat("x", length) + "\n"
		r := rendertest.Member(t, m, blueprinttest.Facts())
		for _, v := range r.VM.Spec.Template.Spec.Volumes {
			if s := v.CloudInitNoCloud; s != nil &&
				(s.UserData+s.UserDataBase64+s.NetworkData+s.NetworkDataBase64 != "" || s.UserDataSecretRef.Name != r.Secret.Name) {
				t.Errorf("%d: %+v", length, s)
			}
		}
	}
}
