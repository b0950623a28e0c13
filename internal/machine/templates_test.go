package machine

import (
	"maps"
	"slices"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/hack/uicheck/checklist"
	"github.com/nomad-harvester/nomad-harvester/test/templates"
	"github.com/nomad-harvester/nomad-harvester/test/world/fixtures"
)

// worldFacts are the test world's.
func worldFacts() Facts {
	return Facts{
		Images:         map[string]Image{fixtures.Image: {StorageClassName: fixtures.ImageStorageClass, VirtualSize: 10 << 30}},
		StorageClasses: map[string]StorageClass{fixtures.ImageStorageClass: {Shareable: true}, fixtures.StorageClass: {Shareable: true}},
		Networks:       map[string]Network{fixtures.Network: {}, fixtures.StorageNetwork: {}},
		KeyPairs:       map[string]KeyPair{fixtures.KeyPair: {PublicKey: fixtures.KeyPairPublicKey}},
		Secrets:        map[string]map[string]string{"site": {"user": "#cloud-config\ntimezone: Europe/Berlin\n", "net": "version: 1\nconfig: []\n"}},
	}
}

// Each template that the world's admission must accept is rendered as Harvester wants it, with each way to get Nomad into
// the guest, and over a template of Harvester's. TestMain has cloud-init judge the user data.
func TestEveryTemplate(t *testing.T) {
	cert, key := certificate(t)
	clients := map[string]func(*Member, *Facts){
		"with Nomad in the image": func(*Member, *Facts) {},
		"by apt":                  func(m *Member, _ *Facts) { m.Client.Install = &v1alpha1.NomadInstall{Apt: testApt()} },
		"by download":             func(m *Member, _ *Facts) { m.Client.Install = &v1alpha1.NomadInstall{Download: testDownload()} },
		"with TLS and a token": func(m *Member, f *Facts) {
			m.IntroductionToken = "eyJ.abc.def"
			m.Client.ClientTLSSecretRef = &v1alpha1.SecretRef{Name: "nomad-tls"}
			f.Secrets["nomad-tls"] = map[string]string{"ca.crt": cert, "tls.crt": cert, "tls.key": key}
		},
		"with cloud-init in a Secret": func(m *Member, _ *Facts) {
			m.Template.CloudInit = v1alpha1.CloudInit{
				UserDataSecretRef:    &v1alpha1.SecretKeyRef{Name: "site", Key: "user"},
				NetworkDataSecretRef: &v1alpha1.SecretKeyRef{Name: "site", Key: "net"},
			}
		},
		"over a template of Harvester's": func(m *Member, f *Facts) {
			m.Template.From = &v1alpha1.TemplateSource{Kind: v1alpha1.KindTemplateVersion, Name: fixtures.TemplateVersion}
			f.From = testFactsFrom().From
		},
	}
	all := templates.All()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for how, with := range clients {
			m, f := testMember(), worldFacts()
			m.Template = all[name]
			with(&m, &f)
			if problems := Check(&m.Template, &m.Client, f); len(problems) > 0 {
				t.Errorf("%s %s: %v", name, how, problems)
				continue
			}
			r := mustRender(t, m, f)
			subject := checklist.Subject{
				VM: r.VM, Secret: r.Secret, PoolUID: m.PoolUID,
				Images: map[string]checklist.Image{fixtures.Image: {StorageClassName: fixtures.ImageStorageClass, VirtualSize: 10 << 30}},
			}
			for _, row := range checklist.Check(subject) {
				if row.Wrong != "" {
					t.Errorf("%s %s: %s: %s", name, how, row.Demand, row.Wrong)
				}
			}
		}
	}
}
