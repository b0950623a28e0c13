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
	return withFiles(userData, func(files *yaml.Node) error {
		files.Content = slices.DeleteFunc(files.Content, isIntroduction)
		return nil
	})
}

// WithIntroduction is the user data of a member whose guest has not booted yet, with another introduction token in the
// place of its own. The rest stays as it was made: what the template names may have changed since.
func WithIntroduction(userData []byte, token string) ([]byte, error) {
	return withFiles(userData, func(files *yaml.Node) error {
		if i := slices.IndexFunc(files.Content, isIntroduction); i >= 0 {
			if content := valueOf(files.Content[i], "content"); content != nil {
				content.Value = token
				return nil
			}
		}
		return errors.New("userData: no file of write_files holds an introduction token")
	})
}

func isIntroduction(file *yaml.Node) bool { return pathOf(file) == nomadIntroTokenFile }

// withFiles is the user data with its write_files changed.
func withFiles(userData []byte, change func(files *yaml.Node) error) ([]byte, error) {
	config, err := parseYAMLMapping(string(userData))
	if err != nil {
		return nil, fmt.Errorf("userData: %w", err)
	}
	files := valueOf(config, "write_files")
	if files == nil || !isList(files) {
		return nil, errors.New("userData: write_files is no list")
	}
	if err := change(files); err != nil {
		return nil, err
	}
	doc, err := writeYAML(config)
	if err != nil {
		return nil, fmt.Errorf("writing the user data: %w", err)
	}
	return []byte(asUserData(doc)), nil
}
