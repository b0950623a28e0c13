package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// PeakMemory is how many bytes a process has had in memory at most.
func PeakMemory(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return ParsePeakMemory(status)
}

// ParsePeakMemory reads it from proc_pid_status(5).
func ParsePeakMemory(status []byte) (int64, error) {
	for line := range strings.Lines(string(status)) {
		if kib, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kib), "kB")), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("no VmHWM in %q", status)
}
