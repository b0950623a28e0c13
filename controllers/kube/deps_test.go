package kube

import (
	"strings"
	"testing"
)

// A panic in one of several goroutines is an error of what began them, and doesn't end the process.
func TestPanicInParallelIsAnError(t *testing.T) {
	err := InParallel(3, 1, func(i int) error {
		if i == 1 {
			panic("a member that nobody expected")
		}
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "nobody expected") || strings.Contains(err.Error(), ".go") {
		t.Errorf("got %v", err)
	}
}
