package cloudinit

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
	"github.com/nomad-harvester/nomad-harvester/internal/cloudinit/cloudinittest"
)

// sized is how long the documents of a member are, and the bound that AtMost returns; false: none can be made.
func sized(m blueprint.Member, f blueprint.Facts) (is, atMost int, ok bool) {
	s, err := Secret(m, f)
	if err != nil {
		return 0, 0, false
	}
	for _, value := range s.Data {
		is += len(value)
	}
	return is, AtMost(m, f), true
}

// fixedOf is the bound of a member without user data. What user data adds must be bounded for itself, or that
// would hide it.
func fixedOf(m blueprint.Member, f blueprint.Facts) (is, atMost int) {
	m.Template.CloudInit, f.From = v1alpha1.CloudInit{GuestAgent: m.Template.CloudInit.GuestAgent}, nil
	is, atMost, _ = sized(m, f)
	return is, atMost
}

func TestNothingIsLongerThanAtMost(t *testing.T) {
	m, f := blueprinttest.Member(), blueprinttest.Facts()
	baseIs, baseMost := fixedOf(m, f)
	made := 0
	for _, doc := range cloudinittest.AwkwardDocuments() {
		for _, text := range []string{doc, "a: {b: [{c: " + doc + "}]}", "runcmd: [" + doc + "]", "- - - x\n" + doc} {
			m.Template.CloudInit.UserData = "#cloud-config\n" + text
			is, atMost, ok := sized(m, f)
			if !ok {
				continue
			}
			made++
			if is-baseIs > atMost-baseMost+512 { // what is around the user's commands
				t.Errorf("%q: %d bytes, said to be %d at most", text, is-baseIs, atMost-baseMost)
			}
		}
	}
	if made < 500 {
		t.Errorf("only %d documents could be made", made)
	}
}

// awkwardRunes are written in as many bytes as there can be.
var awkwardRunes = []rune("aA0'\"\\$%{}:#-\n\t \x01\x7f\u0085\u00a0é\u2028\ufeff\U0001F600\U0001FFFE")

func TestNoAwkwardTextIsLongerThanAtMost(t *testing.T) {
	word := rapid.StringOfN(rapid.SampledFrom(awkwardRunes), 1, 200, -1)
	rapid.Check(t, func(t *rapid.T) {
		m, f := blueprinttest.Member(), blueprinttest.Facts()
		baseIs, baseMost := fixedOf(m, f)
		text, closing := "#cloud-config\na: ", ""
		for range rapid.IntRange(0, 60).Draw(t, "depth") {
			if rapid.Bool().Draw(t, "a list") {
				text, closing = text+"[", "]"+closing
			} else {
				text, closing = text+"{k: ", "}"+closing
			}
		}
		var b strings.Builder
		for _, r := range word.Draw(t, "text") {
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		m.Template.CloudInit.UserData = text + `"` + b.String() + `"` + closing + "\n"
		m.Template.CloudInit.NetworkData = word.Draw(t, "network")
		is, atMost, ok := sized(m, f)
		if !ok || is-baseIs > atMost-baseMost+512 {
			t.Fatalf("%q: %d bytes, said to be %d at most (%v)", m.Template.CloudInit.UserData, is-baseIs, atMost-baseMost, ok)
		}
	})
}

// The controller's fixed text is short beside what is counted for it, so long names are compared with short ones.
func TestNoMemberIsLongerThanAtMost(t *testing.T) {
	long := func(unit string) string { return strings.Repeat(unit, 2_000) }
	for name, change := range map[string]func(*blueprint.Member, *blueprint.Facts, string){
		"name":       func(m *blueprint.Member, _ *blueprint.Facts, s string) { m.Name = s },
		"namespace":  func(m *blueprint.Member, _ *blueprint.Facts, s string) { m.Namespace = s },
		"pool":       func(m *blueprint.Member, _ *blueprint.Facts, s string) { m.PoolName, m.Client.NodeClass = s, "" },
		"pool's UID": func(m *blueprint.Member, _ *blueprint.Facts, s string) { m.PoolUID = s },
		"node ID":    func(m *blueprint.Member, _ *blueprint.Facts, s string) { m.NodeID = s },
		"region":     func(m *blueprint.Member, _ *blueprint.Facts, s string) { m.Region = s },
		"token":      func(m *blueprint.Member, _ *blueprint.Facts, s string) { m.IntroductionToken = s },
		"servers":    func(m *blueprint.Member, _ *blueprint.Facts, s string) { m.Client.Servers = []string{s, s} },
		"meta": func(m *blueprint.Member, _ *blueprint.Facts, s string) {
			m.Client.Meta = map[string]string{"a": s, "b": s}
		},
		"keys of meta": func(m *blueprint.Member, _ *blueprint.Facts, s string) { m.Client.Meta = metaOf(s) },
		"node class":   func(m *blueprint.Member, _ *blueprint.Facts, s string) { m.Client.NodeClass = s },
		"node pool":    func(m *blueprint.Member, _ *blueprint.Facts, s string) { m.Client.NodePool = s },
		"datacenter":   func(m *blueprint.Member, _ *blueprint.Facts, s string) { m.Client.Datacenter = s },
		"apt": func(m *blueprint.Member, _ *blueprint.Facts, s string) {
			m.Client.Install = &v1alpha1.NomadInstall{Apt: &v1alpha1.AptInstall{Source: "deb " + s, Key: s, Version: s}}
		},
		"download": func(m *blueprint.Member, _ *blueprint.Facts, s string) {
			m.Client.Install = &v1alpha1.NomadInstall{Download: &v1alpha1.DownloadInstall{URL: s, SHA256: s}}
		},
		"SSH key": func(m *blueprint.Member, f *blueprint.Facts, s string) {
			m.Template.SSHKeys = []string{"default/long"}
			f.KeyPairs["default/long"] = blueprint.KeyPair{PublicKey: s}
		},
		"TLS": func(m *blueprint.Member, f *blueprint.Facts, s string) {
			m.Client.ClientTLSSecretRef = &v1alpha1.SecretRef{Name: "tls"}
			f.Secrets["tls"] = map[string]string{blueprint.CAKey: s, "tls.crt": s, "tls.key": s}
		},
	} {
		for _, unit := range []string{"a", "'", `"`, "$", "x\n", "\x01", "é", "\u2028", "\U0001F600", "\U0001FFFE"} {
			size := func(s string) (is, atMost int) {
				m, f := blueprinttest.Member(), blueprinttest.Facts()
				change(&m, &f, s)
				is, atMost, ok := sized(m, f)
				if !ok {
					t.Fatalf("%s of %q: no documents", name, unit)
				}
				return is, atMost
			}
			is, atMost := size(long(unit))
			shortIs, shortMost := size(unit)
			if is-shortIs > atMost-shortMost || shortIs > shortMost {
				t.Errorf("%s of %q: %d bytes more, said to be %d at most", name, unit, is-shortIs, atMost-shortMost)
			}
		}
	}
	if _, atMost := fixedOf(blueprinttest.Member(), blueprinttest.Facts()); atMost > 256<<10 {
		t.Errorf("a short member is said to have %d bytes at most, which is of no use", atMost)
	}
}

// metaOf are so many keys that the column in which they are written counts.
func metaOf(key string) map[string]string {
	meta := map[string]string{key: ""}
	for i := range 60 {
		meta[fmt.Sprint("k", i)] = "v"
	}
	return meta
}

func TestOfWhatCannotBeReadThereIsNoLimit(t *testing.T) {
	m, f := blueprinttest.Member(), blueprinttest.Facts()
	m.Template.CloudInit.UserData = "no cloud-config"
	if got := AtMost(m, f); got != math.MaxInt {
		t.Errorf("got %d", got)
	}
}
