package manifests

import (
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/preflight"
)

// bad is a manifest that can't work: what it sets, lines apart, and what is answered.
type bad struct{ set, want string }

// leastRefused is how many kinds of mistake are refused when they are written.
const leastRefused = 190

// What can't work is refused when it is written, with the field, the value and what to do. Nothing of what is let in
// keeps the controller from reading the others.
func TestBadManifestsAreRefused(t *testing.T) {
	c := start(t)
	good := func(base func(*testing.T) map[string]any, into any, lines ...string) {
		t.Helper()
		o := object(t, base, lines...)
		if err := c.Create(t.Context(), o, client.DryRunAll); err != nil {
			t.Errorf("%q is refused: %v", lines, err)
		}
		if err := decodes(o, into); err != nil {
			t.Errorf("%q can't be read: %v", lines, err)
		}
	}
	good(pool, &v1alpha1.NomadNodePool{})
	good(node, &v1alpha1.NomadNode{})
	for _, set := range goodPools {
		good(pool, &v1alpha1.NomadNodePool{}, strings.Split(set, "\n")...)
	}
	tried := map[string]bool{}
	try := func(base func(*testing.T) map[string]any, all []bad) {
		t.Helper()
		for _, b := range all {
			o := object(t, base, strings.Split(b.set, "\n")...)
			kind := o.GetKind() + " " + b.set
			if tried[kind] {
				t.Errorf("%s: twice", kind)
			}
			tried[kind] = true
			switch err := c.Create(t.Context(), o, client.DryRunAll); {
			case err == nil:
				t.Errorf("%s: is accepted", kind)
			case !strings.Contains(unescape(err.Error()), b.want):
				t.Errorf("%s:\nwant %s\ngot  %s", kind, b.want, unescape(err.Error()))
			}
		}
	}
	for _, pools := range [][]bad{badReplicas, badScaleIn, badRollout, badHealth, badNomad, badInstall, badVM, badDisks,
		badNetworks, badCloudInit, badNames} {
		try(pool, pools)
	}
	try(node, badNodes)
	if len(tried) < leastRefused {
		t.Errorf("%d manifests, fewer than %d", len(tried), leastRefused)
	}
	t.Run("known only of the cluster", func(t *testing.T) { conditions(t, c) })
}

// unescape undoes the quotes of a value that the API server repeats in quotes.
func unescape(text string) string { return strings.ReplaceAll(text, `\"`, `"`) }

// conditions checks what admission lets in, because only the cluster, or what Go alone can read, tells that it can't
// work: the pool's condition TemplateValid says so.
func conditions(t *testing.T, c client.Client) {
	for _, b := range badTemplates {
		o := object(t, pool, strings.Split(b.set, "\n")...)
		if err := c.Create(t.Context(), o, client.DryRunAll); err != nil {
			t.Errorf("%s: is refused, so it belongs elsewhere: %v", b.set, err)
			continue
		}
		p := &v1alpha1.NomadNodePool{}
		if err := decodes(o, p); err != nil {
			t.Errorf("%s: can't be read: %v", b.set, err)
			continue
		}
		problems := preflight.Check(&p.Spec.Template, &p.Spec.Nomad.NomadClient, cluster())
		if text := fmt.Sprint(problems); !strings.Contains(text, b.want) {
			t.Errorf("%s:\nwant %s\ngot  %s", b.set, b.want, text)
		}
	}
}

// cluster has what the manifests name, as it should be.
func cluster() blueprint.Facts {
	return blueprint.Facts{
		Images: map[string]blueprint.Image{"default/image-x2k7p": {StorageClassName: "lh", VirtualSize: 10 << 30},
			"default/importing": {NotReady: "it isn't imported yet"}},
		StorageClasses: map[string]blueprint.StorageClass{"lh": {Shareable: true}},
		Networks:       map[string]blueprint.Network{"default/vlan-120": {}, "default/down": {NotReady: true}},
		KeyPairs:       map[string]blueprint.KeyPair{"default/empty": {}, "default/broken": {PublicKey: "x", Invalid: true}},
		Secrets:        map[string]map[string]string{"site": {"user": "#cloud-config\n"}},
		TokenSecrets:   map[string]bool{"token": true},
	}
}
