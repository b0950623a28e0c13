package binaries

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// chartCRDs is where Harvester's module keeps the definitions its chart installs.
const chartCRDs = "deploy/charts/harvester-crd/templates"

// HarvesterCRDDir returns a directory of plain YAML files: the custom resource
// definitions Harvester's chart installs, of the version that lite, one of the
// harvester-lites, is built from. Left out are KubeVirt's, which kvmanifests writes, and those of
// whereabouts, which nothing here uses. They are taken from Harvester's module
// (Apache-2.0) rather than committed.
func HarvesterCRDDir(ctx context.Context, progress io.Writer, lite Tool) (string, error) {
	if progress == nil {
		progress = io.Discard
	}
	shop, err := openWorkshop(progress)
	if err != nil {
		return "", err
	}
	plan, err := shop.plan(lite)
	if err != nil {
		return "", err
	}
	target := filepath.Join(shop.cache, "crds", "harvester-"+plan.release)
	if _, err := os.Stat(target); err == nil {
		return target, nil
	}
	fmt.Fprintf(progress, "fetching the custom resource definitions of Harvester %s…\n", plan.release)
	if err := shop.join(ctx); err != nil {
		return "", err
	}
	source, err := shop.moduleDir(ctx, plan, harvester+"@v"+plan.release)
	if err == nil {
		err = publishCRDs(filepath.Join(source, chartCRDs), target)
	}
	return target, errors.Join(err, shop.leaveRow())
}

// moduleDir downloads a module if need be and returns where its files are.
func (s *workshop) moduleDir(ctx context.Context, p plan, module string) (string, error) {
	var output bytes.Buffer
	err := goCommand(ctx, p.dir, s.row.env, &output, "mod", "download", "-modfile="+p.goMod(), "-json", module)
	if err != nil {
		return "", fmt.Errorf("downloading %s: %w: %s", module, err, output.String())
	}
	// Notes about what is being downloaded come before the answer.
	answer := output.Bytes()[max(0, bytes.IndexByte(output.Bytes(), '{')):]
	var downloaded struct{ Dir string }
	if err := json.Unmarshal(answer, &downloaded); err != nil {
		return "", fmt.Errorf("downloading %s: %w", module, err)
	}
	return downloaded.Dir, nil
}

// publishCRDs copies the wanted files so that target appears complete or not at all.
func publishCRDs(source, target string) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	unfinished, err := os.MkdirTemp(filepath.Dir(target), "unfinished-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(unfinished)
	files, err := filepath.Glob(filepath.Join(source, "*.yaml"))
	if err != nil {
		return err
	}
	copied := 0
	for _, file := range files {
		name := filepath.Base(file)
		if strings.HasPrefix(name, "crd-kubevirt") || strings.HasPrefix(name, "whereabouts") {
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(unfinished, name), content, 0o644); err != nil {
			return err
		}
		copied++
	}
	if copied == 0 {
		return fmt.Errorf("no custom resource definitions in %s", source)
	}
	if err := os.Chmod(unfinished, 0o755); err != nil {
		return err
	}
	if err := os.Rename(unfinished, target); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
