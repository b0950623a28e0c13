package main

import (
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

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
