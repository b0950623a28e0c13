// Package cloudinittest has Debian's own cloud-init judge what tests render.
package cloudinittest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
)

// rendered are all user and network data that the tests of a package render, and the test that rendered each first.
var rendered = struct {
	sync.Mutex
	userData, networkData map[string]string
}{userData: map[string]string{}, networkData: map[string]string{}}

// Remember keeps the data of a member's Secret, to be judged when all tests of the package have run.
func Remember(test string, secret map[string][]byte) {
	rendered.Lock()
	defer rendered.Unlock()
	all := map[string]map[string]string{"userdata": rendered.userData, "networkdata": rendered.networkData}
	for key, into := range all {
		if text := string(secret[key]); into[text] == "" && text != "" {
			into[text] = test
		}
	}
}

// Main runs the tests of a package, and has cloud-init judge whatever they rendered, unless the tests are the short ones,
// which need no cloud-init. It doesn't return.
func Main(m *testing.M) {
	code := m.Run()
	if testing.Short() {
		os.Exit(code)
	}
	if err := judge(); err != nil && code == 0 {
		fmt.Fprintf(os.Stderr, "FAIL: %v\n", err)
		code = 1
	}
	os.Exit(code)
}

func judge() error {
	userData, networkData := slices.Sorted(maps.Keys(rendered.userData)), slices.Sorted(maps.Keys(rendered.networkData))
	complaints, err := Complaints(context.Background(), userData, networkData)
	if err != nil {
		return err
	}
	var errs []error
	for i, text := range slices.Concat(userData, networkData) {
		if complaints[i] == "" {
			continue
		}
		by := rendered.userData[text]
		if i >= len(userData) {
			by = rendered.networkData[text]
		}
		errs = append(errs, fmt.Errorf("rendered in %s: %s\n%s", by, complaints[i], text))
	}
	return errors.Join(errs...)
}

// commands runs cloud-init's own command on each document, all in one process: Python takes longer to start than to
// judge. Debian's cloud-init has no schema of network data, but it can read it.
const commands = `
import contextlib, io, json, logging, os, sys, tempfile, traceback
from cloudinit.cmd.main import main

def complaint(args):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            failed = main(["cloud-init"] + args)
        except SystemExit as e:
            failed = e.code
        except Exception:
            traceback.print_exc()
            failed = True
    logging.root.handlers.clear()
    return "" if not failed else "cloud-init %s: %s: %s" % (args[0], failed, said.getvalue())

asked = json.load(sys.stdin)
complaints = []
with tempfile.TemporaryDirectory() as dir:
    name = os.path.join(dir, "document.yaml")
    for kind, args in (
        ("userData", ["schema", "--config-file", name]),
        ("networkData", ["devel", "net-convert", "--network-data", name, "--kind", "yaml", "--output-kind", "netplan", "--distro", "debian", "--directory", dir]),
    ):
        for text in asked[kind] or []:
            with open(name, "w", encoding="utf-8", newline="") as f:
                f.write(text)
            complaints.append(complaint(args))
json.dump(complaints, sys.stdout)
`

// Complaints are cloud-init's of each document of both kinds, in their order; empty: it has none.
func Complaints(ctx context.Context, userData, networkData []string) ([]string, error) {
	out, err := ask(ctx, commands, map[string][]string{"userData": userData, "networkData": networkData})
	if err != nil {
		return nil, err
	}
	var complaints []string
	if err := json.Unmarshal(out, &complaints); err != nil {
		return nil, err
	}
	if len(complaints) != len(userData)+len(networkData) {
		return nil, fmt.Errorf("cloud-init judged %d of %d documents", len(complaints), len(userData)+len(networkData))
	}
	return complaints, nil
}

// Need leaves out a test that needs Debian's cloud-init, or the Python that comes with it, from the short ones, which are
// to run on any machine. `make unit` says so in a line of its own; all other runs fail where cloud-init isn't installed.
func Need(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs Debian's cloud-init, which make unit does without")
	}
}

// Ask runs a Python script, for which cloud-init's own modules are there, on a value as JSON, and returns what it says.
func Ask(t *testing.T, script string, about any) []byte {
	t.Helper()
	Need(t)
	out, err := ask(t.Context(), script, about)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// errMissing names what is missing, if Python can't be run or finds no cloud-init.
var errMissing = errors.New("these tests need cloud-init, to judge what is rendered: " +
	"apt-get install --no-install-recommends cloud-init (and touch /etc/cloud/cloud-init.disabled, so that it does nothing to this machine)")

func ask(ctx context.Context, script string, about any) ([]byte, error) {
	in, err := json.Marshal(about)
	if err != nil {
		return nil, err
	}
	python := exec.CommandContext(ctx, "/usr/bin/python3", "-c", script)
	python.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	python.Stderr = &stderr
	out, err := python.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s\n(%w)", err, stderr.Bytes(), errMissing)
	}
	return out, nil
}
