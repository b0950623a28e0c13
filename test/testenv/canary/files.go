package canary

import (
	"fmt"
	"os"
	"strings"
)

// InFile are the secrets in a file, each with the line where it is.
func (s *Set) InFile(file string) ([]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var leaks []string
	for _, hit := range s.Find(string(text)) {
		line := 1 + strings.Count(string(text[:hit.Offset]), "\n")
		leaks = append(leaks, fmt.Sprintf("%s:%d: %s of %s", file, line, hit.As, hit.Name))
	}
	return leaks, nil
}
