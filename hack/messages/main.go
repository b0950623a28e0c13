// Command messages compares what the controllers said during the last tests with docs/messages.txt. Both `make test`,
// which records the former, and a person who wants to know run it.
//
//	go run ./hack/messages        name what docs/messages.txt lacks, and fail if there is a reason among it: which words
//	                              a reason comes with is chance in part, and no run fails for being the first with some
//	go run ./hack/messages -add   add that to it, and take out what no code says any more (make messages)
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nomad-harvester/nomad-harvester/test/messages"
)

const remedy = "`make messages` adds that, without another test run"

// lastRun is where the tests record what is said, below the root of the repository.
const lastRun = "bin/test/messages.txt"

func main() {
	add := flag.Bool("add", false, "add to docs/messages.txt what it lacks, and take out what no code says any more")
	said := flag.String("said", lastRun, "what was said, as the tests have recorded it (NOMAD_HARVESTER_RECORD)")
	flag.Parse()
	if err := run(os.Stdout, ".", *said, *add); err != nil {
		fmt.Fprintln(os.Stderr, "messages:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, root, saidFile string, add bool) error {
	said, err := read(saidFile)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w; make test records what is said there", err)
	}
	if err != nil {
		return err
	}
	documentedIn := filepath.Join(root, "docs", "messages.txt")
	documented, err := read(documentedIn)
	if err != nil {
		return err
	}
	code, err := messages.ReadCode(root)
	if err != nil {
		return err
	}
	if add {
		return rewrite(out, documentedIn, code, documented, said)
	}
	reasons, texts := code.Undocumented(said, documented)
	for _, lack := range append(reasons, texts...) {
		fmt.Fprintln(out, "docs/messages.txt lacks", lack)
	}
	switch {
	case len(reasons) > 0:
		return errors.New("the controllers gave reasons that docs/messages.txt lacks; " + remedy)
	case len(texts) > 0:
		fmt.Fprintln(out, "messages:", remedy)
		return nil
	}
	fmt.Fprintln(out, "messages: docs/messages.txt has all that the controllers said")
	return nil
}

func read(name string) (*messages.Set, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var set messages.Set
	return &set, set.Read(file)
}

// rewrite keeps what wasn't said this time, because not all is said each time.
func rewrite(out io.Writer, name string, code *messages.Code, documented, said *messages.Set) error {
	gone := code.Unsayable(documented)
	var whole messages.Set
	for who, message := range documented.All() {
		if !gone.Has(who, message) {
			whole.Add(who, message)
		}
	}
	for who, message := range said.All() {
		if !whole.Has(who, message) { // the same at another time would only be noise
			whole.Add(who, message)
		}
	}
	for who, message := range gone.All() {
		fmt.Fprintf(out, "taken out, as no code says it: %s: %s\n", who, message)
	}
	return os.WriteFile(name, []byte(whole.String()), 0o644)
}
