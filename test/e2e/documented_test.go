package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// documented is the shell script in a page of docs that has these words.
func documented(t *testing.T, page, words string) string {
	t.Helper()
	for _, block := range strings.Split(string(contentOf(t, filepath.Join("../../docs", page))), "```")[1:] {
		if script, isShell := strings.CutPrefix(block, "sh\n"); isShell && strings.Contains(script, words) {
			return script
		}
	}
	t.Fatalf("docs/%s has no script with %q", page, words)
	return ""
}

// runScript runs a script in a directory of its own, with these programs by name and the environment's kubeconfig.
func runScript(t *testing.T, script string, programs map[string]string, env ...string) {
	t.Helper()
	bin := t.TempDir()
	for name, to := range programs {
		if err := os.Symlink(to, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-eu")
	cmd.Stdin, cmd.Dir = strings.NewReader(script), t.TempDir()
	cmd.Env = append(append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "KUBECONFIG="+w.Kubeconfig), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
