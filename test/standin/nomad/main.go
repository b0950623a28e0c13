// Command nomad stands in for HashiCorp Nomad where there is none: it is written to behave as Nomad 1.11 does in what
// this project and its tests can observe, and answers to the commands, flags and configuration of Nomad that these
// use. It is made for tests: nothing here replicates, isolates or encrypts what it stores. test/world/README.md says
// what else it lacks.
package main

import (
	"os"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/cli"
)

func main() { os.Exit(cli.Run(os.Args[1:], os.Stdout, os.Stderr)) }
