package cloudinit

import (
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// WithIntroduction is the user data of a member whose guest has not booted yet, with another introduction token in the
// place of its own. The rest stays as it was made: what the template names may have changed since.
func WithIntroduction(userData []byte, token string) ([]byte, error) {
	config, err := parseYAMLMapping(string(userData))
	if err != nil {
		return nil, fmt.Errorf("userData: %w", err)
	}
	content := introductionIn(config)
	if content == nil {
		return nil, errors.New("userData: no file of write_files holds an introduction token")
	}
	content.Value = token
	doc, err := writeYAML(config)
	if err != nil {
		return nil, fmt.Errorf("writing the user data: %w", err)
	}
	return []byte(cloudConfigHeader + "\n" + notAnEmail(doc)), nil
}

// introductionIn is where the token is; nil: there is none.
func introductionIn(config *yaml.Node) *yaml.Node {
	files := valueOf(config, "write_files")
	if files == nil || !isList(files) {
		return nil
	}
	for _, f := range files.Content {
		if pathOf(f) == nomadIntroTokenFile {
			return valueOf(f, "content")
		}
	}
	return nil
}
