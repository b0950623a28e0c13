package chart

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

// quickStart are the commands of the README's quick start.
func quickStart(t *testing.T) []string {
	t.Helper()
	readme, err := os.ReadFile(root + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(readme), "## Quick start on Harvester\n")
	section, _, _ := strings.Cut(after, "\n## ")
	var commands []string
	for line := range strings.Lines(section) {
		if command, code := strings.CutPrefix(line, "    "); code && !strings.HasPrefix(command, "#") {
			commands = append(commands, strings.TrimSpace(command))
		}
	}
	return commands
}

// Who follows the README has a pool, and each of its lines may be run again, as it says.
func TestQuickStartIsFollowedLineByLine(t *testing.T) {
	dir := t.TempDir()
	prepare(t, dir)
	stop := func() {}
	for i, command := range quickStart(t) {
		if i == 0 { // a container runtime isn't there, and the image is what CI builds
			if !strings.HasPrefix(command, "make image ") {
				t.Fatalf("the first command is %q", command)
			}
			continue
		}
		for range 2 {
			must(t, "sh", "-c", "cd "+dir+" && "+command)
		}
		if command == "kubectl apply -k config/default" {
			awaitKinds(t)
			stop = startController(t) // its Deployment makes no Pods here
		}
	}
	p := &v1alpha1.NomadNodePool{}
	eventually(t, "the pool to be ready", func(ctx context.Context) error {
		if err := w.Client.Get(ctx, client.ObjectKey{Namespace: fixtures.Namespace, Name: "small"}, p); err != nil {
			return err
		}
		if !meta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.PoolReady) {
			return fmt.Errorf("%w: status %+v", errUnexpected, p.Status)
		}
		return nil
	})
	if out := must(t, kubectl, "-n", "nomad-clients", "get", "nnp,nn"); strings.Count(out, "\n") < 5 {
		t.Errorf("it shows\n%s", out)
	}
	follow(t, "kubectl delete nomadnodepools,nomadnodes --all --all-namespaces && sleep 5")
	awaitGuard(t, false)
	stop()
	follow(t,
		"kubectl delete -k config/default --ignore-not-found --dry-run=server && kubectl delete -k config/default --ignore-not-found")
}

// prepare makes what the quick start presupposes: the repository's files, the sample with an image, a network and
// servers that there are, and the user's file with the access to Nomad.
func prepare(t *testing.T, dir string) {
	t.Helper()
	if err := os.CopyFS(filepath.Join(dir, "config"), os.DirFS(root+"/config")); err != nil {
		t.Fatal(err)
	}
	sample := filepath.Join(dir, "config/samples/minimal.yaml")
	text, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	mine := strings.NewReplacer("nomad.example.com", w.NomadServer.RPCAddr, "default/image-x2k7p", fixtures.Image,
		"default/vlan-120", fixtures.Network).Replace(string(text))
	env := "NOMAD_ADDR=" + w.NomadAddr + "\nNOMAD_TOKEN=" + w.NomadToken + "\nALLOWED_NAMESPACES=nomad-clients\n"
	for file, content := range map[string]string{sample: mine, filepath.Join(dir, "nomad.env"): env} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
