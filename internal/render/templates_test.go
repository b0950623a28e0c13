package render_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/hack/uicheck/checklist"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
	"github.com/nomad-harvester/nomad-harvester/internal/harvestertemplate/harvestertemplatetest"
	"github.com/nomad-harvester/nomad-harvester/internal/preflight"
	"github.com/nomad-harvester/nomad-harvester/internal/render/rendertest"
	"github.com/nomad-harvester/nomad-harvester/test/templates"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

// fixturesFacts are of the test environment's fixtures.
func fixturesFacts() blueprint.Facts {
	return blueprint.Facts{
		Images: map[string]blueprint.Image{
			fixtures.Image: {StorageClassName: fixtures.ImageStorageClass, VirtualSize: 10 << 30}},
		StorageClasses: map[string]blueprint.StorageClass{fixtures.ImageStorageClass: {Shareable: true},
			fixtures.StorageClass: {Shareable: true}},
		Networks: map[string]blueprint.Network{fixtures.Network: {}, fixtures.StorageNetwork: {}},
		KeyPairs: map[string]blueprint.KeyPair{fixtures.KeyPair: {PublicKey: fixtures.KeyPairPublicKey}},
		Secrets: map[string]map[string]string{
			"site": {"user": "#cloud-config\ntimezone: Europe/Berlin\n", "net": "version: 1\nconfig: []\n"}},
	}
}

// Each template that the test environment's admission must accept is rendered as Harvester wants it, with each way to
// get Nomad into the guest, and over a template of Harvester's. cloud-init is asked to judge the user data.
func TestEveryTemplate(t *testing.T) {
	cert, key := blueprinttest.Certificate(t)
	clients := map[string]func(*blueprint.Member, *blueprint.Facts){
		"with Nomad in the image": func(*blueprint.Member, *blueprint.Facts) {},
		"by apt": func(m *blueprint.Member, _ *blueprint.Facts) {
			m.Client.Install = &v1alpha1.NomadInstall{Apt: blueprinttest.Apt()}
		},
		"by download": func(m *blueprint.Member, _ *blueprint.Facts) {
			m.Client.Install = &v1alpha1.NomadInstall{Download: blueprinttest.Download()}
		},
		"with TLS and a token": func(m *blueprint.Member, f *blueprint.Facts) {
			m.IntroductionToken = "eyJ.abc.def"
			m.Client.ClientTLSSecretRef = &v1alpha1.SecretRef{Name: "nomad-tls"}
			f.Secrets["nomad-tls"] = map[string]string{"ca.crt": cert, "tls.crt": cert, "tls.key": key}
		},
		"with cloud-init in a Secret": func(m *blueprint.Member, _ *blueprint.Facts) {
			m.Template.CloudInit = v1alpha1.CloudInit{
				UserDataSecretRef:    &v1alpha1.SecretKeyRef{Name: "site", Key: "user"},
				NetworkDataSecretRef: &v1alpha1.SecretKeyRef{Name: "site", Key: "net"},
			}
		},
		"over a template of Harvester's": func(m *blueprint.Member, f *blueprint.Facts) {
			m.Template.From = &v1alpha1.TemplateSource{Kind: v1alpha1.KindTemplateVersion, Name: fixtures.TemplateVersion}
			f.From = harvestertemplatetest.Facts().From
		},
	}
	all := templates.All()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for how, with := range clients {
			m, f := blueprinttest.Member(), fixturesFacts()
			m.Template = all[name]
			with(&m, &f)
			if problems := preflight.Check(&m.Template, &m.Client, f); len(problems) > 0 {
				t.Errorf("%s %s: %v", name, how, problems)
				continue
			}
			r := rendertest.Member(t, m, f)
			subject := checklist.Subject{
				VM: r.VM, Secret: r.Secret, PoolUID: m.PoolUID,
				Images: map[string]checklist.Image{
					fixtures.Image: {StorageClassName: fixtures.ImageStorageClass, VirtualSize: 10 << 30}},
			}
			for _, row := range checklist.Check(subject) {
				if row.Wrong != "" {
					t.Errorf("%s %s: %s: %s", name, how, row.Demand, row.Wrong)
				}
			}
		}
	}
}
