// nomad-harvester keeps pools of Nomad clients on SUSE Harvester: a controller, and a target plugin for the Nomad
// Autoscaler.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	_ "golang.org/x/crypto/x509roots/fallback" // the image has no certificates of its own, and Nomad's may be of a public CA
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/nomad-harvester/nomad-harvester/controllers"
	"github.com/nomad-harvester/nomad-harvester/pkg/nomadtarget"
)

// version is set at build time.
var version = "dev"

const usage = `usage: nomad-harvester <command>

  controller           run the controller inside Harvester (see: controller -h)
  nomad-auth-method    print the configuration of the auth method in Nomad that the controller may log in to (see: -h)
  autoscaler-plugin    serve the Nomad Autoscaler target plugin; chosen by itself when the autoscaler starts the binary
  version              print the version
  help                 print this
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "nomad-harvester:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if nomadtarget.IsPluginLaunch(os.Environ()) {
		nomadtarget.Serve()
		return nil
	}
	command := ""
	if len(args) > 0 {
		command = args[0]
	}
	switch command {
	case "controller":
		c, err := controllers.ParseFlags(args[1:])
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		if err != nil {
			return err
		}
		return controllers.Run(ctrl.SetupSignalHandler(), c)
	case "nomad-auth-method":
		return controllers.PrintAuthMethod(ctrl.SetupSignalHandler(), args[1:], os.Stdout)
	case "autoscaler-plugin":
		nomadtarget.Serve()
		return nil
	case "version":
		fmt.Println(version)
		return nil
	case "help", "-h", "-help", "--help":
		fmt.Print(usage)
		return nil
	default:
		return fmt.Errorf("unknown command %q\n\n%s", command, usage)
	}
}
