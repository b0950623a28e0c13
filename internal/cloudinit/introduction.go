package cloudinit

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Introduces reports if user data holds an introduction token.
func Introduces(userData []byte) bool { return strings.Contains(string(userData), nomadIntroTokenFile) }

// WithoutIntroduction is the user data of a member without its introduction token, for the time after it has joined:
// from then on the guest has an identity of Nomad's. The guest that runs isn't touched: cloud-init has written the
// files once, and writes none of them again at a restart, because the ID of the instance stays.
func WithoutIntroduction(userData []byte) ([]byte, error) {
	config, err := parseYAMLMapping(string(userData))
	if err != nil {
		return nil, fmt.Errorf("userData: %w", err)
	}
	files := valueOf(config, "write_files")
	if files == nil || !isList(files) {
		return nil, errors.New("userData: write_files is no list")
	}
	files.Content = slices.DeleteFunc(files.Content, func(f *yaml.Node) bool { return pathOf(f) == nomadIntroTokenFile })
	doc, err := writeYAML(config)
	if err != nil {
		return nil, fmt.Errorf("writing the user data: %w", err)
	}
	return []byte(cloudConfigHeader + "\n" + notAnEmail(doc)), nil
}
