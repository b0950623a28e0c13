package binaries

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Tool is the name of a program, which is also its file name.
type Tool string

// The programs of the test environment.
const (
	Etcd                  Tool = "etcd"
	KubeAPIServer         Tool = "kube-apiserver"
	KubeControllerManager Tool = "kube-controller-manager"
	Kubectl               Tool = "kubectl"
	VirtAPI               Tool = "virt-api"
	VirtController        Tool = "virt-controller"
	// KVManifests writes the manifests KubeVirt's operator would apply.
	KVManifests Tool = "kvmanifests"
	// HarvesterLite runs Harvester's unmodified admission handlers and VM controllers.
	HarvesterLite Tool = "harvester-lite"
	// HarvesterLite15 runs those of the oldest version that we keep to, whose rules differ.
	HarvesterLite15 Tool = "harvester-lite-1.5"
	// Nomad is the user's own, or the stand-in: see FindNomad.
	Nomad           Tool = "nomad"
	NomadAutoscaler Tool = "nomad-autoscaler"
	// Helm installs charts.
	Helm Tool = "helm"
	// Prometheus reads Nomad's metrics for the autoscaler.
	Prometheus Tool = "prometheus"
)

// The programs that check and generate our own code.
const (
	GolangciLint  Tool = "golangci-lint"
	ControllerGen Tool = "controller-gen"
	// KubeAPILinter is a golangci-lint with one linter more.
	KubeAPILinter Tool = "kube-api-linter"
	// Gremlins makes mutants of our decisions, which tests must notice.
	Gremlins Tool = "gremlins"
)

// Environment lists the programs of the test environment in the order in which they are
// best built: what most tests need comes first.
func Environment() []Tool {
	return []Tool{
		Etcd, KubeAPIServer, KubeControllerManager, Kubectl,
		KVManifests, VirtController, VirtAPI,
		Nomad, HarvesterLite, NomadAutoscaler, HarvesterLite15, Helm, Prometheus,
	}
}

// Development lists the programs that check and generate our own code.
func Development() []Tool {
	return []Tool{ControllerGen, GolangciLint, KubeAPILinter, Gremlins}
}

// Demo lists those of them that an environment with an autoscaler needs.
func Demo() []Tool {
	return []Tool{
		Etcd, KubeAPIServer, KubeControllerManager,
		KVManifests, VirtController, VirtAPI,
		Nomad, HarvesterLite, NomadAutoscaler,
	}
}

// Ensure returns the absolute path of every tool asked for, building those that
// are missing, one after the other. Processes that need the same cache wait for
// each other instead of building twice. A line is written to progress (nil:
// nowhere) whenever there is something to wait for; a cached tool is silent.
// The error of a failed build holds the end of the compiler's output and the
// path of its log.
//
// What is asked for in one call is compiled once; packages that a tool shares with
// one of an earlier call are compiled again, for what was compiled isn't kept.
func Ensure(ctx context.Context, progress io.Writer, tools ...Tool) (map[Tool]string, error) {
	if progress == nil {
		progress = io.Discard
	}
	shop, err := openWorkshop(progress)
	if err != nil {
		return nil, err
	}
	paths := make(map[Tool]string, len(tools))
	for _, tool := range tools {
		path, err := shop.ensure(ctx, tool)
		if err != nil {
			shop.breakOff()
			return nil, err
		}
		paths[tool] = path
	}
	return paths, shop.leaveRow()
}

// workshop is one process's view of the side modules and of the cache.
type workshop struct {
	root     string // of the repository
	cache    string
	progress io.Writer
	row      *row // nil while no side module is built
}

func openWorkshop(progress io.Writer) (*workshop, error) {
	root, err := repositoryRoot()
	if err != nil {
		return nil, err
	}
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	return &workshop{root: root, cache: cache, progress: progress}, nil
}

// ensure returns the path of one tool: installed by the user, else cached, else built.
func (s *workshop) ensure(ctx context.Context, tool Tool) (string, error) {
	if tool == Nomad {
		n, err := s.nomad(ctx)
		return n.Path, err
	}
	plan, err := s.plan(tool)
	if err != nil {
		return "", err
	}
	if path, err := installed(ctx, plan); path != "" || err != nil {
		return path, err
	}
	return plan.path, s.buildOnce(ctx, plan)
}

// buildOnce builds what isn't in the cache yet, one process at a time.
func (s *workshop) buildOnce(ctx context.Context, p plan) error {
	built := func() bool { return isExecutable(p.path) }
	if built() {
		return nil
	}
	if !p.inRoot {
		if err := s.join(ctx); err != nil {
			return fmt.Errorf("waiting to build %s: %w", p.tool, err)
		}
	}
	unlock, err := s.lock(ctx, built)
	if err != nil {
		return fmt.Errorf("waiting to build %s: %w", p.tool, err)
	}
	defer unlock()
	if built() { // by another process, meanwhile
		return nil
	}
	return s.build(ctx, p)
}

// cacheDir is $NOMAD_HARVESTER_CACHE, or nomad-harvester in the user's cache
// directory. Everything in it can be deleted at any time.
func cacheDir() (string, error) {
	if dir := os.Getenv("NOMAD_HARVESTER_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache directory, set NOMAD_HARVESTER_CACHE: %w", err)
	}
	return filepath.Join(dir, "nomad-harvester"), nil
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}
