// Command tools builds the programs that tests and development need and prints
// where they are:
//
//	go run ./hack/tools                    everything the test environment runs
//	go run ./hack/tools nomad kubectl      only these
//	go run ./hack/tools -print nomad       one path and nothing else, for scripts
//	go run ./hack/tools -nomad             which Nomad the test environment runs, in one line
//
// What is already in the cache is not built again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/binaries"
)

func main() {
	only := flag.String("print", "", "build this `tool` if need be and print its path only")
	nomad := flag.Bool("nomad", false, "say which Nomad the test environment runs, and nothing else")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *nomad, binaries.Tool(*only), flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, nomad bool, only binaries.Tool, names []string) error {
	if nomad {
		n, err := binaries.FindNomad(ctx, os.Stderr)
		if err == nil {
			fmt.Println(n)
		}
		return err
	}
	if only != "" && len(names) > 0 {
		return errors.New("-print takes one tool and no further names")
	}
	tools := selected(only, names)
	paths, err := binaries.Ensure(ctx, os.Stderr, tools...)
	if err != nil {
		return err
	}
	for _, tool := range tools {
		if only != "" {
			fmt.Println(paths[tool])
			continue
		}
		fmt.Printf("%-24s %s\n", tool, paths[tool])
	}
	return nil
}

func selected(only binaries.Tool, names []string) []binaries.Tool {
	if only != "" {
		return []binaries.Tool{only}
	}
	if len(names) == 0 {
		return binaries.Environment()
	}
	tools := make([]binaries.Tool, len(names))
	for i, name := range names {
		tools[i] = binaries.Tool(name)
	}
	return tools
}
