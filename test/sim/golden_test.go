package sim_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/test/sim"
)

var update = flag.Bool("update", false, "write the stories anew")

// The main stories, as text that people can read, are still told the same way.
func TestStories(t *testing.T) {
	for name, got := range sim.Golden() {
		path := filepath.Join("testdata", name+".txt")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: the story has changed; read it, and if it is right, run go test ./test/sim -run Stories -update\n%s",
				name, got)
		}
	}
}
