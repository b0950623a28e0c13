// Command nomad stands in for HashiCorp Nomad where there is none: it behaves as Nomad 1.11 does in all that this project and its
// tests can observe, and is held to that by the contract suite. It answers to the same commands, flags and configuration. It is made
// for tests: nothing here replicates, isolates or encrypts what it stores.
package main

import (
	"os"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/cli"
)

func main() { os.Exit(cli.Run(os.Args[1:], os.Stdout, os.Stderr)) }
