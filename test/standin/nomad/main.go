package main

import (
	"os"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/cli"
)

func main() { os.Exit(cli.Run(os.Args[1:], os.Stdout, os.Stderr)) }
