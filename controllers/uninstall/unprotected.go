package uninstall

import (
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// As kubectl calls them.
const (
	policyKind  = "validatingadmissionpolicy"
	bindingKind = "validatingadmissionpolicybinding"
)

func kindOf(o client.Object) string {
	if _, ok := o.(*admissionv1.ValidatingAdmissionPolicyBinding); ok {
		return bindingKind
	}
	return policyKind
}

// unprotected is a policy or binding that is missing or being deleted while there are members.
type unprotected struct {
	object     client.Object
	kind, name string
	ending     bool
}

// explainUnprotected returns what follows from that, and what to do; empty: nothing is missing. All of them fit into an
// Event if each is named once, but for what is to be pasted.
func explainUnprotected(all []unprotected) string {
	var policies, bindings, ending []string
	for _, g := range all {
		switch {
		case g.ending:
			ending = append(ending, g.kind+"/"+g.name)
		case g.kind == policyKind:
			policies = append(policies, g.name)
		default:
			bindings = append(bindings, g.name)
		}
	}
	var sentences []string
	if len(ending) > 0 {
		sentences = append(
			sentences,
			"Somebody deleted admission policies of the installation, or their bindings. What was deleted is in force until the last "+
				"pool and member are gone, and guards no later ones. To be guarded as before let it go (kubectl patch "+
				strings.Join(ending, " ")+
				" --type=merge -p '{\"metadata\":{\"finalizers\":null}}'), and at once apply the installation again.",
		)
	}
	if missing := namedOnce(policies, bindings); missing != "" {
		sentences = append(
			sentences,
			"There is no "+missing+": what that guards is unguarded. "+
				"Apply the installation again, unless it was left out on purpose.",
		)
	}
	return strings.Join(sentences, " ")
}

func namedOnce(policies, bindings []string) string {
	var both, alone []string
	for _, name := range policies {
		if slices.Contains(bindings, name) {
			both = append(both, name)
		} else {
			alone = append(alone, name)
		}
	}
	var parts []string
	for _, p := range []struct {
		kind  string
		names []string
	}{
		{policyKind + " and -binding ", both}, {policyKind + " ", alone},
		{bindingKind + " ", slices.DeleteFunc(bindings, func(name string) bool { return slices.Contains(both, name) })},
	} {
		if len(p.names) > 0 {
			parts = append(parts, p.kind+strings.Join(p.names, ", "))
		}
	}
	return strings.Join(parts, ", no ")
}
