package main

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
	"golang.org/x/mod/module"
)

// enough is how much of a licence file, in percent, has to be text of licences that are known: what is more than a few
// words of somebody's own may cancel what the licence gives.
const enough = 75

var (
	licenceFile = regexp.MustCompile(`(?i)^(un)?(licen[cs]es?|copying)([-._].*)?$`)
	// Texts that the scanner has no pattern for, or that are added to an open licence to make it less than that.
	closed = regexp.MustCompile(
		`(?i)business\s+source\s+license|functional\s+source\s+license|elastic\s+license|server\s+side\s+public\s+license|commons\s+clause|polyform|confluent\s+community|fair\s+source`,
	)
)

// licenceOf reads the licence files of a module. It returns the licences' identifiers, or says why the
// module can't be required.
func (r *rules) licenceOf(m module.Version, files fs.FS) (string, error) {
	if licence, ok := r.known(m.Path); ok {
		return licence, nil
	}
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return "", err
	}
	var found []string
	var doubts []string
	for _, entry := range entries {
		if !entry.Type().IsRegular() || !licenceFile.MatchString(entry.Name()) || isOther(entry.Name()) {
			continue
		}
		text, err := fs.ReadFile(files, entry.Name())
		if err != nil {
			return "", err
		}
		licences, doubt := r.judge(text)
		if doubt != "" {
			doubts = append(doubts, entry.Name()+" "+doubt)
		}
		found = append(found, licences...)
	}
	switch {
	case len(doubts) > 0:
		return "", fmt.Errorf("%s may not be under an open-source licence: %s", m, strings.Join(doubts, "; "))
	case len(found) == 0:
		return "", fmt.Errorf("%s has no licence file", m)
	}
	slices.Sort(found)
	return strings.Join(slices.Compact(found), ", "), nil
}

// isOther tells files that are named so for another reason: sources, lists, and licences of documentation.
func isOther(name string) bool {
	return slices.Contains([]string{".go", ".tmpl", ".tpl", ".csv", ".docs"}, filepath.Ext(name))
}

// judge tells the licences of a text, or what is doubtful about it.
func (r *rules) judge(text []byte) (licences []string, doubt string) {
	if words := closed.Find(text); words != nil {
		return nil, fmt.Sprintf("speaks of a %q", strings.Join(strings.Fields(string(words)), " "))
	}
	coverage := licensecheck.Scan(text)
	for _, match := range coverage.Match {
		if match.IsURL {
			continue
		}
		if !slices.Contains(r.Open, match.ID) {
			return nil, "holds " + match.ID
		}
		licences = append(licences, match.ID)
	}
	if len(licences) == 0 || coverage.Percent < enough {
		return nil, fmt.Sprintf("is to %.0f%% text of no licence that the scanner knows", 100-coverage.Percent)
	}
	return licences, ""
}
