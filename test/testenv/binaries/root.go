package binaries

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

const rootModule = "module github.com/nomad-harvester/nomad-harvester"

// repositoryRoot finds the checkout whose side modules are built: the one around
// the working directory, else the one this file was compiled from.
func repositoryRoot() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	starts := []string{wd}
	if _, file, _, ok := runtime.Caller(0); ok {
		starts = append(starts, filepath.Dir(file))
	}
	for _, start := range starts {
		if root, err := rootAbove(start); err == nil {
			return root, nil
		}
	}
	return "", fmt.Errorf("no nomad-harvester checkout around %s", wd)
}

// rootAbove walks up from dir to the directory whose go.mod is the root module's.
func rootAbove(dir string) (string, error) {
	for {
		content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && firstLine(string(content)) == rootModule {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("root module not found")
		}
		dir = parent
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimSpace(line)
}
