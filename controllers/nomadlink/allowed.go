package nomadlink

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// The files or variables with what pools may do: their authors may be nobody's operators.
const (
	allowedNamespacesKey = "ALLOWED_NAMESPACES"
	allowedAddressesKey  = "ALLOWED_ADDRESSES"
)

// allowed are patterns of names, in which * and ? stand for what they do in file names (path.Match). None: nothing is
// allowed.
type allowed []string

// parseAllowed reads patterns that are separated by commas or white space, with so many slashes at most. what is one of
// them, in words.
func parseAllowed(field, text, what string, slashes int) (allowed, error) {
	var out allowed
	for _, pattern := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r <= ' ' }) {
		_, err := path.Match(pattern, "")
		if strings.HasPrefix(pattern, "[") && err == nil { // an IPv6 address, not a class of characters
			pattern = strings.NewReplacer("[", `\[`, "]", `\]`).Replace(pattern)
		}
		parts := strings.Split(pattern, "/")
		if err != nil || len(parts) > slashes+1 || slices.Contains(parts, "") {
			return nil, fmt.Errorf("%s: %q is not %s; * and ? stand for any names", field, pattern, what)
		}
		out = append(out, pattern)
	}
	return out, nil
}

// address reports whether pools may name a Nomad at this host and port.
func (a allowed) address(hostPort string) bool {
	return slices.ContainsFunc(a, func(pattern string) bool { return matches(pattern, hostPort) })
}

// credentials reports whether pools of a namespace may use the controller's own for a Nomad node pool and region. home:
// it is the controller's region. A pattern is of a namespace, of a namespace and a node pool, or of both and a region:
// prod, dev/dev-*, dev/*/eu. Without a region it is for the controller's own, because one token may be valid in all of
// them.
func (a allowed) credentials(namespace, nodePool, region string, home bool) bool {
	return slices.ContainsFunc(a, func(pattern string) bool {
		switch strings.Count(pattern, "/") {
		case 2:
			return matches(pattern, namespace+"/"+nodePool+"/"+region)
		case 1:
			return home && matches(pattern, namespace+"/"+nodePool)
		default:
			return home && matches(pattern, namespace)
		}
	})
}

// matches is for a pattern that parseAllowed has returned: path.Match finds no fault with it.
func matches(pattern, name string) bool {
	ok, _ := path.Match(pattern, name)
	return ok
}
