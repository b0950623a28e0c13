package binaries

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// recipe says how a tool is built from one of the side modules under tools/.
type recipe struct {
	module  string // directory under tools/
	pkg     string // package to build; "./x" is source of ours
	modfile string // instead of go.mod, with a .sum of its own beside it; empty: go.mod
	version string // path of the required module whose version is the tool's
	tags    string
	// inRoot is source of the root module, compiled as the rest of that is so that they share a cache; no module, then.
	inRoot  bool
	stamps  []string      // variables set to "v<version>", as the upstream release build does
	typical time.Duration // of a build that shares nothing, on two cores; for the progress line only
}

const (
	kubernetes  = "k8s.io/kubernetes"
	kubevirt    = "kubevirt.io/kubevirt"
	harvester   = "github.com/harvester/harvester"
	autoscaler  = "github.com/hashicorp/nomad-autoscaler"
	etcdServer  = "go.etcd.io/etcd/server/v3"
	golangci    = "github.com/golangci/golangci-lint/v2"
	controlTool = "sigs.k8s.io/controller-tools"
	apiLinter   = "sigs.k8s.io/kube-api-linter"
	helm        = "helm.sh/helm/v4"
	prometheus  = "github.com/prometheus/prometheus"
	gremlins    = "github.com/go-gremlins/gremlins"
)

var (
	kubernetesStamps = []string{"k8s.io/component-base/version.gitVersion", "k8s.io/client-go/pkg/version.gitVersion"}
	kubevirtStamps   = []string{"kubevirt.io/client-go/version.gitVersion"}
)

var recipes = map[Tool]recipe{
	Etcd: {module: "etcd", pkg: etcdServer, version: etcdServer, typical: time.Minute},
	KubeAPIServer: {module: "kubernetes", pkg: kubernetes + "/cmd/kube-apiserver", version: kubernetes,
		stamps: kubernetesStamps, typical: 4 * time.Minute},
	KubeControllerManager: {module: "kubernetes", pkg: kubernetes + "/cmd/kube-controller-manager", version: kubernetes,
		stamps: kubernetesStamps, typical: 2 * time.Minute},
	Kubectl: {module: "kubernetes", pkg: kubernetes + "/cmd/kubectl", version: kubernetes, stamps: kubernetesStamps,
		typical: time.Minute},
	VirtAPI: {module: "kubevirt", pkg: kubevirt + "/cmd/virt-api", version: kubevirt, stamps: kubevirtStamps,
		typical: time.Minute},
	VirtController: {module: "kubevirt", pkg: kubevirt + "/cmd/virt-controller", version: kubevirt, stamps: kubevirtStamps,
		typical: 3 * time.Minute},
	KVManifests:   {module: "kubevirt", pkg: "./kvmanifests", version: kubevirt, typical: 2 * time.Minute},
	HarvesterLite: {module: "harvester", pkg: "./harvester-lite", version: harvester, typical: 5 * time.Minute},
	HarvesterLite15: {module: "harvester", modfile: "v1.5.mod", pkg: "./harvester-lite", version: harvester,
		tags: "harvester15", typical: 4 * time.Minute},
	NomadAutoscaler: {module: "nomad-autoscaler", pkg: autoscaler, version: autoscaler, typical: 4 * time.Minute},
	Helm:            {module: "helm", pkg: helm + "/cmd/helm", version: helm, typical: 2 * time.Minute},
	// Without the discovery of targets in clouds, whose clients would be most of the build.
	Prometheus: {module: "prometheus", pkg: prometheus + "/cmd/prometheus", version: prometheus, tags: "remove_all_sd",
		typical: 4 * time.Minute},
	GolangciLint: {module: "lint", pkg: golangci + "/cmd/golangci-lint", version: golangci, typical: 4 * time.Minute},
	KubeAPILinter: {module: "lint", pkg: apiLinter + "/cmd/golangci-lint-kube-api-linter", version: apiLinter,
		typical: 2 * time.Minute},
	ControllerGen: {module: "lint", pkg: controlTool + "/cmd/controller-gen", version: controlTool, typical: time.Minute},
	Gremlins:      {module: "mutants", pkg: gremlins + "/cmd/gremlins", version: gremlins, typical: time.Minute},
}

// plan is a recipe applied to this checkout and this cache.
type plan struct {
	recipe
	tool    Tool
	release string // version without the leading v
	dir     string // of the side module
	path    string // of the finished program
}

// plan works out where a tool of this checkout's version belongs in the cache.
func (s *workshop) plan(tool Tool) (plan, error) {
	r, ok := recipes[tool]
	if !ok {
		return plan{}, fmt.Errorf("no recipe to build %q", tool)
	}
	p := plan{recipe: r, tool: tool, dir: filepath.Join(s.root, "tools", r.module)}
	goMod, err := os.ReadFile(filepath.Join(p.dir, p.goMod()))
	if err != nil {
		return plan{}, err
	}
	if p.release, err = requiredVersion(string(goMod), r.version); err != nil {
		return plan{}, fmt.Errorf("%s: %w", filepath.Join(p.dir, p.goMod()), err)
	}
	key, err := p.key()
	if err != nil {
		return plan{}, err
	}
	p.path = filepath.Join(s.cache, "bin", fmt.Sprintf("%s-%s-%s", tool, p.release, key), string(tool))
	return p, nil
}

// goMod is the file that says which versions go into the tool.
func (r recipe) goMod() string { return cmp.Or(r.modfile, "go.mod") }

// args are those of `go build`, without the output file.
func (p plan) args() []string {
	ldflags := []string{"-s", "-w"}
	for _, variable := range p.stamps {
		ldflags = append(ldflags, "-X", variable+"=v"+p.release)
	}
	args := []string{"-buildvcs=false", "-ldflags", strings.Join(ldflags, " ")}
	if !p.inRoot {
		args = append([]string{"-trimpath"}, args...)
	}
	if p.modfile != "" {
		args = append(args, "-modfile="+p.modfile)
	}
	if p.tags != "" {
		args = append(args, "-tags", p.tags)
	}
	return append(args, p.pkg)
}

// String is the tool with its version, for people.
func (p plan) String() string { return string(p.tool) + " " + p.release }

// requiredVersion finds the version, without its leading v, at which a go.mod
// file requires a module. The side modules' go.mod files are thereby the only
// place where a version is written.
func requiredVersion(goMod, module string) (string, error) {
	for line := range strings.Lines(goMod) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) < 2 || fields[0] != module {
			continue
		}
		if release, ok := strings.CutPrefix(fields[1], "v"); ok {
			return release, nil
		}
	}
	return "", fmt.Errorf("%s is not required", module)
}
