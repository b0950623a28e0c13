package sim_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/test/sim"
)

var update = flag.Bool("update", false, "write the golden traces anew")

// The golden traces, which people can read, are as they were.
func TestGoldenTraces(t *testing.T) {
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
			t.Errorf("%s: the trace has changed; read it, and if it is right, run go test ./test/sim -run Golden -update\n%s",
				name, got)
		}
	}
}
