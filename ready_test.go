package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The controller isn't ready before it has read what it decides by, but lives meanwhile, so that nobody starts it again. A
// watcher of Nomad that doesn't go on makes it neither (internal/nomad, TestAStuckWatcherIsNoticed).
func TestReadyOnceTheCachesAreFilled(t *testing.T) {
	if args := os.Getenv("NOMAD_HARVESTER_TEST_CONTROLLER"); args != "" {
		os.Args = append([]string{"nomad-harvester", "controller"}, strings.Fields(args)...)
		main()
		return
	}
	lists := make(chan struct{})
	kubernetes := httptest.NewServer(emptyKubernetes(lists))
	// The controller asks on while it ends, and Close would wait for what hangs.
	t.Cleanup(func() { _ = kubernetes.Config.Close() })
	probes := freeAddress(t)
	controller := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	controller.Env = append(os.Environ(), "NOMAD_HARVESTER_TEST_CONTROLLER=--leader-elect=false --metrics-bind-address=0 "+
		"--health-probe-bind-address="+probes+" --kubeconfig="+kubeconfigOf(t, kubernetes.URL))
	output := &strings.Builder{}
	controller.Stdout, controller.Stderr = output, output
	if err := controller.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = controller.Process.Kill()
		if _ = controller.Wait(); t.Failed() {
			t.Log(output)
		}
	})

	code, text := probed(t, "http://"+probes+"/readyz?verbose", func(int) bool { return true })
	if code != http.StatusInternalServerError || !strings.Contains(text, "[-]caches failed") ||
		!strings.Contains(text, "[+]nomad-watchers ok") {
		t.Errorf("before anything is read: %d\n%s", code, text)
	}
	code, text = probed(t, "http://"+probes+"/healthz?verbose", func(int) bool { return true })
	if code != http.StatusOK || !strings.Contains(text, "[+]nomad-watchers ok") {
		t.Errorf("it doesn't live: %d\n%s", code, text)
	}
	close(lists)
	probed(t, "http://"+probes+"/readyz?verbose", func(code int) bool { return code == http.StatusOK })
}

// probed asks until the answer is wanted.
func probed(t *testing.T, url string, wanted func(code int) bool) (code int, text string) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var response *http.Response
		if response, err = http.Get(url); err != nil {
			continue
		}
		body, err := io.ReadAll(response.Body)
		if closed := response.Body.Close(); err != nil || closed != nil {
			t.Fatal(err, closed)
		}
		if code, text = response.StatusCode, string(body); wanted(code) {
			return code, text
		}
	}
	t.Fatalf("%s: %d %v\n%s", url, code, err, text)
	return 0, ""
}

// emptyKubernetes is an API server that has nothing of the kinds that are watched. It lists them once lists is closed.
func emptyKubernetes(lists <-chan struct{}) http.Handler {
	kinds := map[string]map[string]string{ // by group and version, then by resource
		"nomad.harvesterhci.io/v1alpha1":  {"nomadnodepools": "NomadNodePool", "nomadnodes": "NomadNode"},
		"kubevirt.io/v1":                  {"virtualmachines": "VirtualMachine", "virtualmachineinstances": "VirtualMachineInstance"},
		"admissionregistration.k8s.io/v1": {"validatingadmissionpolicies": "ValidatingAdmissionPolicy"},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
		version := strings.Join(parts[min(1, len(parts)):min(3, len(parts))], "/")
		switch {
		case r.URL.Path == "/api":
			answer(w, http.StatusOK, map[string]any{"kind": "APIVersions", "versions": []string{"v1"}})
		case r.URL.Path == "/apis":
			var groups []any
			for of := range kinds {
				groups = append(groups, group(of))
			}
			answer(w, http.StatusOK, map[string]any{"kind": "APIGroupList", "groups": groups})
		case len(parts) == 3 && kinds[version] != nil:
			var resources []any
			for name, kind := range kinds[version] {
				resources = append(resources, map[string]any{"name": name, "kind": kind, "namespaced": true,
					"verbs": []string{"list", "watch"}})
			}
			answer(w, http.StatusOK, map[string]any{"kind": "APIResourceList", "groupVersion": version, "resources": resources})
		case r.URL.Query().Get("sendInitialEvents") != "":
			answer(w, http.StatusUnprocessableEntity, map[string]any{"kind": "Status", "reason": "Invalid", "code": 422})
		case r.URL.Query().Get("watch") != "" || len(parts) != 4:
			<-r.Context().Done()
		default:
			select {
			case <-lists:
				answer(w, http.StatusOK, map[string]any{"kind": kinds[version][parts[3]] + "List", "apiVersion": version,
					"metadata": map[string]any{"resourceVersion": "1"}, "items": []any{}})
			case <-r.Context().Done():
			}
		}
	})
}

func group(groupVersion string) map[string]any {
	name, version, _ := strings.Cut(groupVersion, "/")
	v := map[string]any{"groupVersion": groupVersion, "version": version}
	return map[string]any{"name": name, "versions": []any{v}, "preferredVersion": v}
}

func answer(w http.ResponseWriter, code int, with map[string]any) {
	if with["apiVersion"] == nil {
		with["apiVersion"] = "v1"
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(with)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func kubeconfigOf(t *testing.T, server string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"c","clusters":[{"name":"c","cluster":{"server":%q}}],`+
		`"contexts":[{"name":"c","context":{"cluster":"c","user":"c"}}],"users":[{"name":"c","user":{}}]}`, server)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
