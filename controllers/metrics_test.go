package controllers

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
)

// docs/metrics.md has a row for each metric, with its labels.
func TestMetricsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if m := regexp.MustCompile("^\\| `(nomad_harvester_[a-z_]+)` \\|").FindStringSubmatch(line); m != nil {
			rows[m[1]] = line
		}
	}
	described := regexp.MustCompile(`fqName: "([^"]+)".*variableLabels: {([^}]*)}`)
	for _, c := range kube.Collectors {
		ch := make(chan *prometheus.Desc, 1)
		c.Describe(ch)
		m := described.FindStringSubmatch((<-ch).String())
		row, ok := rows[m[1]]
		if !ok {
			t.Errorf("%s has no row", m[1])
		}
		for label := range strings.SplitSeq(m[2], ",") {
			if !strings.Contains(row, "`"+label+"`") {
				t.Errorf("the row of %s lacks the label %s", m[1], label)
			}
		}
		delete(rows, m[1])
	}
	for name := range rows {
		t.Errorf("there is no metric %s", name)
	}
}

// Every package of the controllers has its metrics of pools in its metrics.go.
func TestMetricsAreInTheirPlaces(t *testing.T) {
	files, err := filepath.Glob("../*/*/*.go")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	inPlace := regexp.MustCompile(`^\.\./controllers/[a-z]+/(metrics|[a-z_]+_test)\.go$`)
	for _, file := range files {
		for s := range stringsIn(t, file) {
			if strings.HasPrefix(s, "nomad_harvester_") && !strings.HasPrefix(file, "../test/") && !inPlace.MatchString(file) {
				t.Errorf("%s has the metric %s", file, s)
			}
		}
	}
}
