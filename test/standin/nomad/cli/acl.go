package cli

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

func aclBootstrap(s *shell, args []string) int {
	fs, c := s.flags("acl bootstrap")
	asJSON := fs.Bool("json", false, "as JSON")
	_, client, ok := s.parse(fs, c, args)
	if !ok {
		return 1
	}
	token, _, err := client.ACLTokens().Bootstrap(nil)
	if err != nil {
		return s.fail("Error bootstrapping: %s", err)
	}
	return s.token(token, *asJSON)
}

func aclTokenSelf(s *shell, args []string) int {
	fs, c := s.flags("acl token self")
	asJSON := fs.Bool("json", false, "as JSON")
	_, client, ok := s.parse(fs, c, args)
	if !ok {
		return 1
	}
	token, _, err := client.ACLTokens().Self(nil)
	if err != nil {
		return s.fail("Error fetching self token: %s", err)
	}
	return s.token(token, *asJSON)
}

func (s *shell) token(token *api.ACLToken, asJSON bool) int {
	if asJSON {
		return s.json(token)
	}
	s.table([]string{"Accessor ID", "= " + token.AccessorID}, []string{"Secret ID", "= " + token.SecretID},
		[]string{"Name", "= " + token.Name}, []string{"Type", "= " + token.Type})
	return 0
}

// content is what an argument stands for: standard input, or a file.
func content(of string) ([]byte, error) {
	if of == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(of)
}

func aclPolicyApply(s *shell, args []string) int {
	fs, c := s.flags("acl policy apply")
	description := fs.String("description", "", "for people")
	rest, client, ok := s.parse(fs, c, args)
	if !ok {
		return 1
	}
	if len(rest) != 2 {
		return s.fail("This command takes two arguments: <name> <path>")
	}
	rules, err := content(rest[1])
	if err != nil {
		return s.fail("Failed to read file: %s", err)
	}
	policy := &api.ACLPolicy{Name: rest[0], Description: *description, Rules: string(rules)}
	if _, err := client.ACLPolicies().Upsert(policy, nil); err != nil {
		return s.fail("Error writing ACL policy: %s", err)
	}
	s.say("Successfully wrote %q ACL policy!", rest[0])
	return 0
}

func aclAuthMethodCreate(s *shell, args []string) int {
	fs, c := s.flags("acl auth-method create")
	m := &api.ACLAuthMethod{Config: &api.ACLAuthMethodConfig{}}
	fs.StringVar(&m.Name, "name", "", "name")
	fs.StringVar(&m.Type, "type", "", "OIDC or JWT")
	fs.StringVar(&m.TokenLocality, "token-locality", "", "local or global")
	fs.DurationVar(&m.MaxTokenTTL, "max-token-ttl", time.Duration(0), "how long a token lives")
	fs.BoolVar(&m.Default, "default", false, "whether logins use it that name none")
	config := fs.String("config", "", "JSON, @ and a file with it, or -")
	rest, client, ok := s.parse(fs, c, args)
	if !ok {
		return 1
	}
	if len(rest) != 0 {
		return s.fail("This command takes no arguments")
	}
	text, err := []byte(*config), error(nil)
	if file, isFile := strings.CutPrefix(*config, "@"); isFile || *config == "-" {
		text, err = content(file)
	}
	if err != nil {
		return s.fail("Error reading config: %s", err)
	}
	if err := json.Unmarshal(text, m.Config); err != nil {
		return s.fail("Unable to parse config: %s", err)
	}
	created, _, err := client.ACLAuthMethods().Create(m, nil)
	if err != nil {
		return s.fail("Error creating ACL auth method: %s", err)
	}
	s.table([]string{"Name", "= " + created.Name}, []string{"Type", "= " + created.Type})
	return 0
}

func aclBindingRuleCreate(s *shell, args []string) int {
	fs, c := s.flags("acl binding-rule create")
	r := &api.ACLBindingRule{}
	fs.StringVar(&r.Description, "description", "", "for people")
	fs.StringVar(&r.AuthMethod, "auth-method", "", "name of the auth method")
	fs.StringVar(&r.Selector, "selector", "", "whom it is for")
	fs.StringVar(&r.BindType, "bind-type", "", "role, policy or management")
	fs.StringVar(&r.BindName, "bind-name", "", "name of the role or policy")
	rest, client, ok := s.parse(fs, c, args)
	if !ok {
		return 1
	}
	if len(rest) != 0 {
		return s.fail("This command takes no arguments")
	}
	created, _, err := client.ACLBindingRules().Create(r, nil)
	if err != nil {
		return s.fail("Error creating ACL binding rule: %s", err)
	}
	s.table([]string{"ID", "= " + created.ID}, []string{"Auth Method", "= " + created.AuthMethod})
	return 0
}
