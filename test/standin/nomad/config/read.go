package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/hashicorp/hcl"
)

// Read merges the files, and those of the directories by name, of which later ones win, and checks what comes of it.
func Read(paths ...string) (*Agent, error) {
	merged := map[string]any{}
	var files []string
	for _, path := range paths {
		found, err := Files(path)
		if err != nil {
			return nil, fmt.Errorf("Error loading configuration from %s: %w", path, err) //nolint:staticcheck // Nomad's words
		}
		for _, file := range found {
			block, err := parse(file)
			if err != nil {
				return nil, fmt.Errorf("Error loading configuration from %s: %w", file, err) //nolint:staticcheck // Nomad's words
			}
			merge(merged, block)
		}
		files = append(files, found...)
	}
	c := defaults()
	decoder, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result: &c, TagName: "hcl", ErrorUnused: true, WeaklyTypedInput: true,
		DecodeHook: mapstructure.ComposeDecodeHookFunc(mapstructure.StringToTimeDurationHookFunc(), oneOfList),
	})
	if err != nil {
		return nil, err
	}
	if err := decoder.Decode(merged); err != nil {
		return nil, err
	}
	c.Files = files
	return &c, c.check()
}

// Files are what Nomad reads at the path: itself, or the *.hcl and *.json of a directory.
func Files(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, err
	}
	entries, err := os.ReadDir(path) // sorted by name
	if err != nil {
		return nil, err
	}
	var files []string
	for _, entry := range entries {
		ext := filepath.Ext(entry.Name())
		if !entry.IsDir() && (ext == ".hcl" || ext == ".json") {
			files = append(files, filepath.Join(path, entry.Name()))
		}
	}
	return files, nil
}

func parse(file string) (map[string]any, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var block map[string]any
	if err := hcl.Unmarshal(text, &block); err != nil {
		return nil, err
	}
	flat, _ := flatten(block).(map[string]any)
	return flat, nil
}

// flatten makes one map of each block: HCL 1 gives a list of them, because blocks may be repeated.
func flatten(value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[key] = flatten(value)
		}
		return out
	case []map[string]any:
		out := map[string]any{}
		for _, block := range v {
			flat, _ := flatten(block).(map[string]any)
			merge(out, flat)
		}
		return out
	default:
		return value
	}
}

// appended are the lists that later files add to; others they replace.
var appended = []string{"servers", "enabled_schedulers"}

// merge puts the values of another file over those of earlier ones: blocks are merged, all else is replaced.
func merge(into, from map[string]any) {
	for key, value := range from {
		block, isBlock := value.(map[string]any)
		there, both := into[key].(map[string]any)
		switch {
		case isBlock && both:
			merge(there, block)
		case slices.Contains(appended, key) && into[key] != nil:
			into[key] = append(slices.Clone(asList(into[key])), asList(value)...)
		default:
			into[key] = value
		}
	}
}

func asList(value any) []any {
	if list, ok := value.([]any); ok {
		return list
	}
	return []any{value}
}

// oneOfList takes a list with one item for the item, as HCL gives nested labels.
func oneOfList(from, to reflect.Type, data any) (any, error) {
	if from.Kind() != reflect.Slice || to.Kind() != reflect.Map {
		return data, nil
	}
	if v := reflect.ValueOf(data); v.Len() == 1 {
		return v.Index(0).Interface(), nil
	}
	return data, nil
}

// check refuses what Nomad refuses.
func (c *Agent) check() error {
	switch {
	case !c.Server.Enabled && !c.Client.Enabled:
		//nolint:staticcheck,revive // Nomad's words
		return errors.New(`Must specify either server, client or dev mode for the agent.`)
	case c.DataDir == "":
		//nolint:staticcheck // Nomad's words
		return errors.New("Must specify \"data_dir\" config option or \"data-dir\" CLI flag")
	}
	for name, dir := range map[string]string{"data-dir": c.DataDir, "plugin-dir": c.PluginDir,
		"alloc-dir": c.Client.AllocDir, "state-dir": c.Client.StateDir} {
		if dir != "" && !filepath.IsAbs(dir) {
			return fmt.Errorf("%s must be given as an absolute path: got %s", name, dir)
		}
	}
	if e := c.Server.ClientIntroduction.Enforcement; !slices.Contains([]string{"", "none", "warn", "strict"}, e) {
		return fmt.Errorf("server.client_introduction configuration invalid: invalid enforcement %q", e)
	}
	if !validPool(c.Client.NodePool) {
		return fmt.Errorf("Invalid node pool: invalid name %q", c.Client.NodePool) //nolint:staticcheck // Nomad's words
	}
	return c.advertised()
}

const poolRunes = "-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

func validPool(name string) bool {
	return name != "all" && name != "" && len(name) <= 128 && !strings.ContainsFunc(name, func(r rune) bool {
		return !strings.ContainsRune(poolRunes, r)
	})
}
