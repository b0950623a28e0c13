// The program is a target plugin for the tests of package nomad. It counts in a file.
package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/nomad-autoscaler/plugins"
	"github.com/hashicorp/nomad-autoscaler/plugins/base"
	"github.com/hashicorp/nomad-autoscaler/sdk"
)

type counter struct{ file string }

func (c *counter) PluginInfo() (*base.PluginInfo, error) {
	return &base.PluginInfo{Name: filepath.Base(os.Args[0]), PluginType: sdk.PluginTypeTarget}, nil
}

func (c *counter) SetConfig(config map[string]string) error {
	c.file = config["file"]
	return nil
}

func (c *counter) Scale(action sdk.ScalingAction, _ map[string]string) error {
	return os.WriteFile(c.file, []byte(strconv.FormatInt(action.Count, 10)), 0o600)
}

func (c *counter) Status(map[string]string) (*sdk.TargetStatus, error) {
	b, err := os.ReadFile(c.file)
	if err != nil {
		return &sdk.TargetStatus{}, nil
	}
	count, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	return &sdk.TargetStatus{Ready: err == nil, Count: count}, nil
}

func main() {
	plugins.Serve(func(hclog.Logger) any { return &counter{} })
}
