package harvestertemplate

import (
	"fmt"
	"regexp"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// The limits of the API on a template (NodeTemplate's markers). A NomadNode holds the resolved template. Without these
// checks the API server would refuse the NomadNode, and its message wouldn't name the Harvester template.
const (
	maxDescription = 1024
	maxKeys        = 32 // of labels, and of annotations
	maxDisks       = 12
	maxNetworks    = 8
	maxKeyPairs    = 32
	maxReference   = 317
)

var (
	leastMemory = resource.MustParse("128Mi")
	reference   = regexp.MustCompile(`^[^/ ]+/[^/ ]+$`)
)

// limits reports what the resolved template has beyond the limits of the API.
func (r *resolver) limits() {
	t := r.out
	r.atMost("characters in its description", utf8.RuneCountInString(t.Description), maxDescription, "description")
	r.atMost("labels, with the pool's own", len(t.Labels), maxKeys, "")
	r.atMost("annotations, with the pool's own", len(t.Annotations), maxKeys, "")
	r.atMost("disks", len(t.Disks), maxDisks, "disks")
	r.atMost("networks", len(t.Networks), maxNetworks, "networks")
	r.atMost("key pairs", len(t.SSHKeys), maxKeyPairs, "sshKeys")
	if t.Memory.Sign() > 0 && t.Memory.Cmp(leastMemory) < 0 {
		r.report("it has %s of memory, with which no guest boots; set spec.template.memory", t.Memory.String())
	}
	for _, d := range t.Disks {
		if d.Image != "" {
			r.named(fmt.Sprintf("the image %q of its disk %q", d.Image, d.Name), d.Image, "disks")
		}
		if d.Size.Sign() <= 0 {
			r.report("its disk %q has no size; set one in a new version or set spec.template.disks", d.Name)
		}
	}
	for _, n := range t.Networks {
		if n.Type == v1alpha1.NetworkManagement {
			continue
		}
		r.named(fmt.Sprintf("its network %q", n.Name), n.Name, "networks")
	}
	for _, key := range t.SSHKeys {
		r.named(fmt.Sprintf("its key pair %q", key), key, "sshKeys")
	}
}

// atMost reports that there are more than most. The field of the pool's template, if there is one, replaces what the
// version has.
func (r *resolver) atMost(of string, n, most int, field string) {
	if n <= most {
		return
	}
	remedy := "have fewer in a new version"
	if field != "" {
		remedy += " or set spec.template." + field
	}
	r.report("it has %d %s, and %d are the most; %s", n, of, most, remedy)
}

func (r *resolver) named(what, ref, field string) {
	if !reference.MatchString(ref) || len(ref) > maxReference {
		r.report("%s is not namespace/name; correct it in a new version or set spec.template.%s", what, field)
	}
}
