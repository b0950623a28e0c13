package machine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// rendered are all user and network data that the tests of this package render, and the test that rendered each first.
var rendered = struct {
	sync.Mutex
	userData, networkData map[string]string
}{userData: map[string]string{}, networkData: map[string]string{}}

func remember(test string, secret map[string][]byte) {
	rendered.Lock()
	defer rendered.Unlock()
	for key, into := range map[string]map[string]string{userDataKey: rendered.userData, networkDataKey: rendered.networkData} {
		if text := string(secret[key]); into[text] == "" && text != "" {
			into[text] = test
		}
	}
}

// errNoCloudInit names what is missing.
var errNoCloudInit = errors.New("these tests need cloud-init, to judge what is rendered: " +
	"apt-get install --no-install-recommends cloud-init (and touch /etc/cloud/cloud-init.disabled, so that it does nothing to this machine)")

func judge() error {
	dir, err := os.MkdirTemp("", "rendered-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	errs := []error{
		judgeEach(rendered.userData, func(n int, text string) error {
			name := filepath.Join(dir, fmt.Sprintf("user-%d.yaml", n))
			return cloudInit(name, text, "schema", "--config-file", name)
		}),
		// Debian's cloud-init has no schema of network data, but it can read it.
		judgeEach(rendered.networkData, func(n int, text string) error {
			name := filepath.Join(dir, fmt.Sprintf("network-%d.yaml", n))
			return cloudInit(name, text, "devel", "net-convert", "--network-data", name, "--kind", "yaml",
				"--output-kind", "netplan", "--distro", "debian", "--directory", name+".out")
		}),
	}
	return errors.Join(errs...)
}

// judgeEach judges two documents at a time.
func judgeEach(documents map[string]string, judge func(n int, text string) error) error {
	var (
		wait sync.WaitGroup
		lock sync.Mutex
		errs []error
		free = make(chan struct{}, 2)
	)
	for n, text := range slices.Sorted(maps.Keys(documents)) {
		free <- struct{}{}
		wait.Go(func() {
			defer func() { <-free }()
			if err := judge(n, text); err != nil {
				lock.Lock()
				errs = append(errs, fmt.Errorf("rendered in %s: %w\n%s", documents[text], err, text))
				lock.Unlock()
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

func cloudInit(name, text string, args ...string) error {
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		return err
	}
	out, err := exec.Command("cloud-init", args...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return errNoCloudInit
	}
	if err != nil {
		return fmt.Errorf("cloud-init %s: %w: %s", args[0], err, out)
	}
	return nil
}

// askCloudInit runs a Python script, for which cloud-init's own modules are there, on a value as JSON, and returns what it says.
func askCloudInit(t *testing.T, script string, about any) []byte {
	t.Helper()
	in, err := json.Marshal(about)
	if err != nil {
		t.Fatal(err)
	}
	python := exec.Command("/usr/bin/python3", "-c", script)
	python.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	python.Stderr = &stderr
	out, err := python.Output()
	if err != nil {
		t.Fatalf("%v: %s\n(%v)", err, stderr.Bytes(), errNoCloudInit)
	}
	return out
}
