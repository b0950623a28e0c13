package preflight

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
	"github.com/nomad-harvester/nomad-harvester/internal/cloudinit"
	"github.com/nomad-harvester/nomad-harvester/internal/cloudinit/cloudinittest"
)

// Secrets' contents don't get into conditions, however wrong they are.
func TestProblemsRevealNoSecrets(t *testing.T) {
	const secret = "S3cret"
	var texts []string
	for _, doc := range append(cloudinittest.AwkwardDocuments()[:800], "password: *k", "k: ", "? ", "k: [", "k: !k",
		"k: {k: }", "- k", "k: &k *k", "\tk: k", "k: @k", "k: `k`", "k: \"\\k\"", "runcmd: {k: k}",
		"mounts: [[k, /opt/k/..]]") {
		doc = strings.ReplaceAll(doc, "k", secret)
		texts = append(texts, doc, "#cloud-config\n"+doc, "#cloud-config\nruncmd: "+doc)
	}
	ref := &v1alpha1.SecretKeyRef{Name: "site", Key: "user"}
	tmpl, c := blueprinttest.Template(), blueprinttest.Client()
	tmpl.CloudInit = v1alpha1.CloudInit{UserDataSecretRef: ref, NetworkDataSecretRef: ref}
	stacked, under := blueprinttest.Template(), &blueprint.TemplateCloudInit{}
	stacked.From = &v1alpha1.TemplateSource{Kind: v1alpha1.KindTemplateVersion, Name: "default/a"}
	found := 0
	for _, text := range texts {
		f := blueprinttest.Facts()
		f.Secrets["site"]["user"], f.From = text, under
		under.UserData, under.NetworkData = text, text
		for _, p := range append(Check(&tmpl, &c, f), Check(&stacked, &c, f)...) {
			found++
			if strings.Contains(p.Message, secret) {
				t.Fatalf("%q: %s", text, p.Message)
			}
		}
	}
	if found < 1000 {
		t.Errorf("only %d problems found", found)
	}
}

// The members' certificate is read from its Secret, and reaches the guest with the key for root's eyes only.
func TestClientTLSReachesTheGuest(t *testing.T) {
	cert, key := blueprinttest.Certificate(t)
	m := blueprinttest.Member()
	m.Client.ClientTLSSecretRef = &v1alpha1.SecretRef{Name: "nomad-tls"}
	tls := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "nomad-clients", Name: "nomad-tls"},
		Data: map[string][]byte{"ca.crt": []byte(cert), "tls.crt": []byte(cert), "tls.key": []byte(key),
			"other": []byte("x")},
	}
	gathered, err := Gather(t.Context(), reader(t, tls), "nomad-clients", &m.Template, &m.Client)
	if err != nil {
		t.Fatal(err)
	}
	f := blueprinttest.Facts()
	f.Secrets = gathered.Secrets
	if problems := Check(&m.Template, &m.Client, f); len(problems) > 0 {
		t.Fatal(problems)
	}
	s, err := cloudinit.Secret(m, f)
	if err != nil {
		t.Fatal(err)
	}
	type writeFile struct{ Path, Permissions, Content string }
	var config struct {
		WriteFiles []writeFile `json:"write_files"`
	}
	if err := yaml.Unmarshal(s.Data[cloudinit.UserDataKey], &config); err != nil {
		t.Fatal(err)
	}
	want := []writeFile{
		{"/etc/nomad.d/tls/ca.crt", "0644", cert},
		{"/etc/nomad.d/tls/tls.crt", "0644", cert},
		{"/etc/nomad.d/tls/tls.key", "0600", key},
	}
	if diff := cmp.Diff(want, config.WriteFiles[1:4]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What no Secret holds is refused before a member is made of it, whichever part of it is long, and however much
// longer than it was written it gets.
func TestUserDataOfMoreThanASecretHolds(t *testing.T) {
	long := strings.Repeat("x", 60_000)
	for name, tt := range map[string]struct {
		user, from, network string
		refused             bool
	}{
		"emoji": {user: "a: &a \"" + strings.Repeat("😀", 15_000) + "\"\nb: [" + strings.Repeat("*a, ", 8) + "*a]\n",
			refused: true},
		"control codes": {user: "a: &a \"" + strings.Repeat(`\x80`, 15_000) + "\"\nb: [" + strings.Repeat("*a, ", 20) +
			"*a]\n", refused: true},
		"of all together": {user: "a: &a " + long + "\nb: [" + strings.Repeat("*a, ", 7) + "*a]\n",
			from:    "c: &c " + long + "\nd: [" + strings.Repeat("*c, ", 7) + "*c]\n",
			network: "a: " + long + "\n", refused: true},
		"a long one":       {user: "a: &a " + long + "\nb: [*a, *a, *a]\n"},
		"long networkData": {network: "a: " + long + "\n"},
	} {
		m, f := blueprinttest.Member(), blueprinttest.Facts()
		m.IntroductionToken = strings.Repeat("t", 2000)
		m.Template.CloudInit.UserData, m.Template.CloudInit.NetworkData = "#cloud-config\n"+tt.user, tt.network
		if tt.from != "" {
			m.Template.From = &v1alpha1.TemplateSource{Kind: v1alpha1.KindTemplateVersion, Name: "default/a"}
			f.From = &blueprint.TemplateCloudInit{UserData: "#cloud-config\n" + tt.from}
		}
		problems := Check(&m.Template, &m.Client, f)
		s, err := cloudinit.Secret(m, f)
		switch {
		case tt.refused && (len(problems) != 1 || problems[0].Reason != v1alpha1.ReasonTemplateInvalid ||
			!regexp.MustCompile(
				`^spec\.template\.cloudInit: with what Nomad needs it has [0-9]{7} bytes, and a Secret holds at most 1048576; `).MatchString(problems[0].Message)):
			t.Errorf("%s: %.200v", name, problems)
		case !tt.refused && (len(problems) > 0 || err != nil):
			t.Errorf("%s: %.200v, %v", name, problems, err)
		case !tt.refused && len(s.Data[cloudinit.UserDataKey])+len(s.Data[cloudinit.NetworkDataKey]) > 1<<20:
			t.Errorf("%s: too long", name)
		}
	}
}
