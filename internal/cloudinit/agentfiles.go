package cloudinit

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl"
	"github.com/hashicorp/hcl/hcl/ast"
	"github.com/hashicorp/hcl/hcl/parser"
	hclstrconv "github.com/hashicorp/hcl/hcl/strconv"
	"github.com/hashicorp/hcl/hcl/token"
	"go.yaml.in/yaml/v3"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// Nomad merges the files of its directory in the order of their names (Nomad: command/agent/config.go, LoadConfigDir).
// A user's that comes after nomad.hcl may make another node of the guest: the member would never join, and its VM
// would be deleted with the work that the other node has got.

// agentKeys are what a user's file can't set, and why.
var agentKeys = map[string]string{
	"data_dir":          "the member's ID is below it",
	"server":            "a member is a client only",
	"name":              "it is the member's",
	"region":            "it is spec.nomad.region of the pool",
	"datacenter":        "it is spec.nomad.datacenter of the pool",
	"client.enabled":    "a member is a client",
	"client.state_dir":  "the member's ID is in it",
	"client.alloc_dir":  "the data of jobs is in " + nomadAllocDir + ", where a disk can be mounted",
	"client.node_pool":  "it is spec.nomad.nodePool of the pool",
	"client.node_class": "it is spec.nomad.nodeClass of the pool",

	// With those of another cluster the guest might register there.
	"client.servers":                "they are spec.nomad.servers of the pool",
	"client.server_join.retry_join": "they are spec.nomad.servers of the pool",
	"client.server_join.start_join": "they are spec.nomad.servers of the pool",

	"client.meta." + v1alpha1.MetaPoolUID: "it tells whose member the node is",
	"client.meta." + v1alpha1.MetaPool:    "it tells whose member the node is",
	"client.meta." + v1alpha1.MetaNode:    "it tells whose member the node is",
}

// mostBrackets bounds how deep a file's values are nested, because the parser calls itself for each level.
const mostBrackets = 10_000

// isAgentFile reports if Nomad reads the file: it reads no directories below its own.
func isAgentFile(name string) bool {
	return path.Dir(name) == nomadConfigDir && slices.Contains([]string{".hcl", ".json"}, path.Ext(name))
}

// checkAgentFile refuses a file of the user's in Nomad's directory that sets what belongs to the member, or that can't
// be read: Nomad wouldn't start with it. The file isn't quoted, for it may come from a Secret.
func checkAgentFile(f *yaml.Node) error {
	if valueOf(f, "source") != nil {
		return errors.New("its content is fetched in the guest, so nobody can tell what Nomad would read; give it as content")
	}
	text, err := contentOf(f)
	switch {
	case err != nil:
		return err
	case len(bytes.TrimSpace(text)) == 0:
		return nil
	case bytes.Count(text, []byte("{"))+bytes.Count(text, []byte("[")) > mostBrackets:
		return fmt.Errorf("it has more than %d brackets; make it shorter", mostBrackets)
	}
	// Nomad reads JSON with the same library.
	file, err := hcl.ParseBytes(text)
	if err != nil {
		return unparsed(err)
	}
	return checkAgentKeys("", file.Node)
}

func unparsed(err error) error {
	const remedy = "Nomad can't read it, and wouldn't start; see if brackets and quotes are closed"
	var pos token.Pos
	if at := (*parser.PosError)(nil); errors.As(err, &at) {
		pos = at.Pos
	}
	return errors.New(placeOf(pos) + ": " + remedy)
}

// placeOf is the words on a place in a file. In JSON the library has no lines of keys.
func placeOf(pos token.Pos) string {
	if !pos.IsValid() {
		return "its content"
	}
	return fmt.Sprintf("line %d of its content", pos.Line)
}

// checkAgentKeys looks at each value below a block by the names that lead to it. The keys of an item lead to its value
// together: to the library a "b" { } is a { b { } }.
func checkAgentKeys(within string, n ast.Node) error {
	switch n := n.(type) {
	case *ast.ObjectType:
		return checkAgentKeys(within, n.List)
	case *ast.ListType:
		for _, item := range n.List {
			if err := checkAgentKeys(within, item); err != nil {
				return err
			}
		}
	case *ast.ObjectList:
		for _, item := range n.Items {
			if err := checkAgentItem(within, item); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkAgentItem(within string, item *ast.ObjectItem) error {
	name := within
	for _, key := range item.Keys {
		word, err := keyWord(key.Token)
		if err != nil {
			return unparsed(&parser.PosError{Pos: key.Pos(), Err: err})
		}
		name = strings.TrimPrefix(name+"."+strings.ToLower(word), ".")
		why, refused := agentKeys[name]
		if refused && (name != "client.enabled" || !isTrue(item.Val)) {
			return fmt.Errorf("%s: %s can't be set there: %s; leave it out", placeOf(key.Pos()), name, why)
		}
	}
	return checkAgentKeys(name, item.Val)
}

// keyWord is the text of a key. The library's own panics over one with an escape that it doesn't know.
func keyWord(key token.Token) (string, error) {
	if key.Type != token.STRING {
		return key.Text, nil
	}
	return hclstrconv.Unquote(key.Text)
}

func isTrue(n ast.Node) bool {
	literal, ok := n.(*ast.LiteralType)
	return ok && slices.Contains([]string{"true", `"true"`}, literal.Token.Text)
}
