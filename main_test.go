package main

import (
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Who asks for help gets it, and no error.
func TestHelp(t *testing.T) {
	if os.Getenv("NOMAD_HARVESTER_TEST_ARGS") != "" {
		os.Args = []string{"nomad-harvester", os.Getenv("NOMAD_HARVESTER_TEST_ARGS")}
		main()
		return
	}
	for _, arg := range []string{"help", "-h", "-help", "--help"} {
		command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		command.Env = append(os.Environ(), "NOMAD_HARVESTER_TEST_ARGS="+arg)
		output, err := command.Output()
		if err != nil || !strings.HasPrefix(string(output), "usage: nomad-harvester <command>") {
			t.Errorf("%s: %v\n%s", arg, err, output)
		}
	}
	if err := run([]string{"unheard-of"}); err == nil || !strings.Contains(err.Error(), "usage") {
		t.Errorf("an unknown command: %v", err)
	}
}

// The image holds nothing but the program, which must know the public CAs all the same.
func TestPublicCAsAreKnownWithoutASystem(t *testing.T) {
	if os.Getenv("NOMAD_HARVESTER_TEST_ROOTS") != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("equal to none:", pool.Equal(x509.NewCertPool()))
		return
	}
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	command.Env = append(os.Environ(), "NOMAD_HARVESTER_TEST_ROOTS=1", "SSL_CERT_FILE=/nowhere", "SSL_CERT_DIR=/nowhere")
	output, err := command.CombinedOutput()
	if err != nil || !strings.Contains(string(output), "equal to none: false") {
		t.Errorf("%v\n%s", err, output)
	}
}
