package nomad_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
)

var update = flag.Bool("update", false, "write the recorded answers anew")

// recordedAnswers is where the fuzz targets of internal/nomad find what a Nomad answers to each of their requests.
const recordedAnswers = "../../../internal/nomad/testdata/answers"

// canonical are the IDs that the recorded answers have in place of those of the Nomad at hand.
const (
	canonicalNode       = "aaaaaaaa-0000-4000-8000-000000000001"
	canonicalAllocation = "cccccccc-0000-4000-8000-00000000000"
	canonicalSecret     = "00000000-0000-0000-0000-000000000000"
)

// The fuzz targets begin with what a Nomad really answers: the Nomad at hand still has all fields of what was recorded.
func TestRecordedAnswersAreThoseOfThisNomad(t *testing.T) {
	p := start(t, nomad.ServerOptions{ACL: true})
	b := behaviour{"answers", "§1 and §4", func(c *check) {
		for name, is := range answers(c) {
			file := filepath.Join(recordedAnswers, name+".json")
			if *update {
				text, err := json.MarshalIndent(is, "", " ")
				c.must(err)
				c.must(os.WriteFile(file, append(text, '\n'), 0o644))
				continue
			}
			text, err := os.ReadFile(file)
			c.must(err)
			var was any
			c.must(json.Unmarshal(text, &was))
			if missing := missingIn(is, was, name); len(missing) > 0 {
				t.Errorf("%s: this Nomad doesn't answer %s; record anew with -update, and look what changed", file,
					strings.Join(missing, ", "))
			}
		}
	}}
	if err := b.watch(t.Context(), p, timeout); err != nil {
		t.Error(err)
	}
}

// answers are those to all requests that the product sends, with a node that drains and has work of several kinds.
func answers(c *check) map[string]any {
	n := c.node()
	service := c.run(c.job("service", 2, migrates))
	c.run(c.job("system", 1))
	running := c.awaitRunning(service, 2)
	secret := c.token(`node { policy = "write" }` + "\n" + `namespace "*" { capabilities = ["read-job"] }`)
	_, _, err := c.api.ACLRoles().Create(&api.ACLRole{Name: c.id, Policies: []*api.ACLRolePolicyLink{{Name: c.id}}}, nil)
	c.must(err)
	_, err = c.api.Nodes().UpdateDrainOpts(n.ID(), &api.DrainOptions{DrainSpec: &api.DrainSpec{Deadline: time.Hour},
		Meta: map[string]string{"harvester_drain_id": "i"}}, nil)
	c.must(err)
	ids := []string{n.ID(), canonicalNode, secret, canonicalSecret, c.id, "p-1"}
	for i, a := range running {
		ids = append(ids, a.ID, fmt.Sprint(canonicalAllocation, i+1))
	}
	canonical := strings.NewReplacer(ids...)
	out := map[string]any{}
	for name, path := range map[string]string{
		"list-nodes":          "/v1/nodes?resources=true",
		"read-node":           "/v1/node/" + n.ID(),
		"list-allocations":    "/v1/allocations?namespace=*&resources=true",
		"read-allocation":     "/v1/allocation/" + running[0].ID,
		"allocations-of-node": "/v1/node/" + n.ID() + "/allocations",
		"read-token":          "/v1/acl/token/self",
		"list-roles":          "/v1/acl/roles",
		"list-policies":       "/v1/acl/policies",
		"read-policy":         "/v1/acl/policy/" + c.id,
		"leader":              "/v1/status/leader",
	} {
		client := c.api
		if name == "read-token" {
			client = c.as(secret)
		}
		var is any
		_, err := client.Raw().Query(path, &is, nil)
		c.must(err)
		text, err := json.Marshal(is)
		c.must(err)
		c.must(json.Unmarshal([]byte(canonical.Replace(string(text))), &is))
		out[name] = is
	}
	return out
}

// missingIn are the fields of was, of the first element of each list, that is lacks.
func missingIn(is, was any, at string) (missing []string) {
	switch was := was.(type) {
	case map[string]any:
		has, _ := is.(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(was)) {
			if value, ok := has[key]; !ok && !isName(key) {
				missing = append(missing, at+"."+key)
			} else if ok && value != nil && was[key] != nil {
				missing = append(missing, missingIn(value, was[key], at+"."+key)...)
			}
		}
	case []any:
		if has, _ := is.([]any); len(was) > 0 && len(has) > 0 {
			return missingIn(has[0], was[0], at+"[]")
		} else if len(was) > 0 {
			return []string{at + "[0]"}
		}
	}
	return missing
}

// isName reports whether a key is a name that somebody gave, and not a field, which Nomad writes in capitals.
func isName(key string) bool { return key == "" || key[0] < 'A' || key[0] > 'Z' }
