package nomad

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// manyPolicies answers as a server whose token has so many policies with such names, each with rules.
func manyPolicies(n int, name, rules string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/acl/token/self":
			_, _ = io.WriteString(w, `{"AccessorID":"a","Type":"client"}`)
		case "/v1/acl/policies":
			var stubs []string
			for i := range n {
				stubs = append(stubs, fmt.Sprintf(`{"Name":"p-%d-%s","ModifyIndex":3}`, i, name))
			}
			_, _ = io.WriteString(w, "["+strings.Join(stubs, ",")+"]")
		default:
			// Rules of other namespaces in each.
			_, _ = io.WriteString(w, `{"RulesJSON":{"Node":{"Policy":"write"},"Namespaces":[`+
				strings.ReplaceAll(rules, "%", strings.TrimPrefix(r.URL.Path, "/v1/acl/policy/"))+`{"Name":"*","Capabilities":["read-job"]}]}}`)
		}
	}
}

// Each answer is bounded, and so is what is kept of all of them: a server may give the token as many policies as it
// likes.
func TestManyPoliciesTakeLittleMemory(t *testing.T) {
	var rules strings.Builder
	for i := range 15_000 {
		fmt.Fprintf(&rules, `{"Name":"%%-%d-%s"},`, i, strings.Repeat("n", 180))
	}
	c := answering(t, manyPolicies(30, "", rules.String())).(*cluster)
	var found tokenCheck
	var err error
	if grew := peak(t, func() { found, err = c.remote.checkToken(t.Context()) }); grew > 64<<20 {
		t.Errorf("%d MiB", grew>>20)
	}
	if err != nil || found.health.State != HealthTokenUnverifiable || found.health.Cause != errTooLarge.Error() {
		t.Errorf("%+v, %v", found.health, err)
	}
}

// What is kept for as long as a connection lives is short, whatever the names are.
func TestWhatIsKeptOfATokenIsShort(t *testing.T) {
	for name, c := range map[string]struct {
		policies    int
		name, rules string
		refused     bool
	}{
		"many policies":         {maxPolicies, "", "", false},
		"too many policies":     {maxPolicies + 1, "", "", true},
		"long names":            {1, strings.Repeat("p", 600), "", true},
		"many hidden":           {100, "", `{"Name":"%","Capabilities":[]},`, false},
		"hidden with long name": {1, "", `{"Name":"` + strings.Repeat("n", 100<<10) + `","Capabilities":[]},`, false},
	} {
		t.Run(name, func(t *testing.T) {
			remote := answering(t, manyPolicies(c.policies, c.name, c.rules)).(*cluster).remote
			found, err := remote.checkToken(t.Context())
			if errors.Is(err, errTooLarge) != c.refused || !c.refused && err != nil {
				t.Errorf("%v", err)
			}
			if kept := len(found.grants) + len(found.health.Lacks) + len(found.health.Cause); kept > 2048 {
				t.Errorf("%d bytes are kept", kept)
			}
		})
	}
}
