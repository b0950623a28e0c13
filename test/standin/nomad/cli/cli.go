package cli

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/server"
)

// shell is where a command runs.
type shell struct {
	out, err io.Writer
}

// command does something and returns the exit code.
type command func(s *shell, args []string) int

var commands = map[string]command{
	"agent":                   agent,
	"version":                 printVersion,
	"server members":          serverMembers,
	"node status":             nodeStatus,
	"node drain":              nodeDrain,
	"node eligibility":        nodeEligibility,
	"job run":                 jobRun,
	"job stop":                jobStop,
	"job status":              jobStatus,
	"run":                     jobRun,
	"stop":                    jobStop,
	"status":                  jobStatus,
	"alloc status":            allocStatus,
	"alloc logs":              allocLogs,
	"operator api":            operatorAPI,
	"acl bootstrap":           aclBootstrap,
	"acl token self":          aclTokenSelf,
	"acl policy apply":        aclPolicyApply,
	"acl auth-method create":  aclAuthMethodCreate,
	"acl binding-rule create": aclBindingRuleCreate,
}

// Run runs the command that the arguments name.
func Run(args []string, out, err io.Writer) int {
	s := &shell{out, err}
	if len(args) > 0 && (args[0] == "-v" || args[0] == "-version" || args[0] == "--version") {
		return printVersion(s, nil)
	}
	for words := min(3, len(args)); words > 0; words-- {
		if run, known := commands[strings.Join(args[:words], " ")]; known {
			return run(s, args[words:])
		}
	}
	_, _ = fmt.Fprintf(err,
		"Usage: nomad [-version] [-help] [-autocomplete-(un)install] <command> [args]\n\nThis stand-in knows: %s\n",
		strings.Join(known(), ", "))
	return 127
}

func known() []string {
	var names []string
	for name := range commands {
		names = append(names, name)
	}
	return sorted(names)
}

func printVersion(s *shell, _ []string) int {
	_, _ = fmt.Fprintf(s.out, "Nomad v%s-standin\n", server.Version)
	return 0
}

// fail says what went wrong.
func (s *shell) fail(format string, args ...any) int {
	_, _ = fmt.Fprintf(s.err, format+"\n", args...)
	return 1
}

func (s *shell) say(format string, args ...any) { _, _ = fmt.Fprintf(s.out, format+"\n", args...) }

// connection are the flags that every command which asks a server has.
type connection struct {
	address, region, namespace, token, caCert, clientCert, clientKey, serverName string
	skipVerify                                                                   bool
}

func (s *shell) flags(name string) (*flag.FlagSet, *connection) {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(s.err)
	c := &connection{}
	fs.StringVar(&c.address, "address", "", "address of the server; also $NOMAD_ADDR")
	fs.StringVar(&c.region, "region", "", "region; also $NOMAD_REGION")
	fs.StringVar(&c.namespace, "namespace", "", "namespace; also $NOMAD_NAMESPACE")
	fs.StringVar(&c.token, "token", "", "ACL token; also $NOMAD_TOKEN")
	fs.StringVar(&c.caCert, "ca-cert", "", "CA certificate; also $NOMAD_CACERT")
	fs.StringVar(&c.clientCert, "client-cert", "", "client certificate; also $NOMAD_CLIENT_CERT")
	fs.StringVar(&c.clientKey, "client-key", "", "client key; also $NOMAD_CLIENT_KEY")
	fs.StringVar(&c.serverName, "tls-server-name", "", "name of the server; also $NOMAD_TLS_SERVER_NAME")
	fs.BoolVar(&c.skipVerify, "tls-skip-verify", false, "don't verify the server's certificate")
	return fs, c
}

// client is configured by the environment, and by the flags that go over it.
func (c *connection) client() (*api.Client, error) {
	config := api.DefaultConfig()
	for _, f := range []struct {
		to   *string
		from string
	}{
		{&config.Address, c.address}, {&config.Region, c.region}, {&config.Namespace, c.namespace},
		{&config.SecretID, c.token},
		{&config.TLSConfig.CACert, c.caCert}, {&config.TLSConfig.ClientCert, c.clientCert},
		{&config.TLSConfig.ClientKey, c.clientKey},
		{&config.TLSConfig.TLSServerName, c.serverName},
	} {
		if f.from != "" {
			*f.to = f.from
		}
	}
	config.TLSConfig.Insecure = config.TLSConfig.Insecure || c.skipVerify
	return api.NewClient(config)
}

// parse reads flags, which may come after the arguments as well, and makes a client.
func (s *shell) parse(fs *flag.FlagSet, c *connection, args []string) ([]string, *api.Client, bool) {
	var rest []string
	for {
		if fs.Parse(args) != nil {
			return nil, nil, false
		}
		if args = fs.Args(); len(args) == 0 {
			break
		}
		rest, args = append(rest, args[0]), args[1:]
	}
	client, err := c.client()
	if err != nil {
		s.fail("Error initializing client: %s", err)
		return nil, nil, false
	}
	return rest, client, true
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "nomad"
	}
	return name
}
