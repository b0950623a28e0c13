package machine

import (
	"fmt"
	"os"
	"testing"
)

// TestMain has cloud-init itself judge whatever the tests rendered.
func TestMain(m *testing.M) {
	code := m.Run()
	if err := judge(); err != nil && code == 0 {
		fmt.Fprintf(os.Stderr, "FAIL: %v\n", err)
		code = 1
	}
	os.Exit(code)
}
