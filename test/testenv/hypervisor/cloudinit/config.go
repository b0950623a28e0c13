package cloudinit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

// ErrNotCloudConfig is returned for user data that isn't a cloud-config document. cloud-init would run a
// script or read a MIME archive there; nothing here needs either.
var ErrNotCloudConfig = errors.New("user data doesn't begin with #cloud-config")

// Config is the part of a cloud-config document that is honoured. Unknown keys are ignored, as by cloud-init.
type Config struct {
	Hostname string    `json:"hostname"`
	FQDN     string    `json:"fqdn"`
	Files    []File    `json:"write_files"`
	BootCmd  []Command `json:"bootcmd"`
	RunCmd   []Command `json:"runcmd"`
}

// File is an entry of write_files. The owner is ignored: all files of a guest belong to us.
type File struct {
	Path        string      `json:"path"`
	Content     string      `json:"content"`
	Encoding    string      `json:"encoding"`
	Permissions Permissions `json:"permissions"`
	Append      bool        `json:"append"`
	// Defer writes the file after all others.
	Defer bool `json:"defer"`
}

// Command is an entry of runcmd: in YAML a string for the shell, or a list of words.
type Command []string

// UnmarshalJSON reads both forms. The shell form becomes one word.
func (c *Command) UnmarshalJSON(b []byte) error {
	var line string
	if json.Unmarshal(b, &line) == nil {
		*c = Command{line}
		return nil
	}
	var words []any
	if err := json.Unmarshal(b, &words); err != nil {
		return fmt.Errorf("command is neither a string nor a list: %s", b)
	}
	for _, word := range words {
		*c = append(*c, fmt.Sprint(word))
	}
	return nil
}

// String joins the words by spaces.
func (c Command) String() string { return strings.Join(c, " ") }

// Parse reads a cloud-config document.
func Parse(userData []byte) (*Config, error) {
	first, _, _ := bytes.Cut(userData, []byte("\n"))
	if strings.TrimSpace(string(first)) != "#cloud-config" {
		return nil, ErrNotCloudConfig
	}
	var c Config
	if err := yaml.Unmarshal(userData, &c); err != nil {
		return nil, fmt.Errorf("cloud-config: %w", err)
	}
	return &c, nil
}
