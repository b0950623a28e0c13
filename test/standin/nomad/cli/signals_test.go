package cli

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// What the agent doesn't heed its tasks still do: an ignored signal would be handed down to them, and no shell could
// trap it.
func TestTasksHeedSignalsThatTheAgentDoesNot(t *testing.T) {
	defer outlive()()
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	said, err := exec.CommandContext(t.Context(), "grep", "SigIgn", "/proc/self/status").Output()
	if err != nil {
		t.Fatal(err)
	}
	ignored, err := strconv.ParseUint(strings.Fields(string(said))[1], 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGPIPE} {
		if ignored&(1<<(s-1)) != 0 {
			t.Errorf("a child ignores %s", s)
		}
	}
}
