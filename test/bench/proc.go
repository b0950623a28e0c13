package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// usage is what a process has used so far.
type usage struct {
	cpu     float64 // seconds, of user and system
	peakRSS float64 // MiB, the most at one time
}

// ticksPerSecond is the unit of the times in /proc, which Linux shows to every program as 100 a second.
const ticksPerSecond = 100

// usageOf reads the use of a process.
func usageOf(pid int) (usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return usage{}, err
	}
	return parseUsage(stat, status)
}

// parseUsage reads proc_pid_stat(5) and proc_pid_status(5).
func parseUsage(stat, status []byte) (usage, error) {
	const user, system = 11, 12 // of the fields after the name
	fields := process.StatFields(stat)
	if len(fields) <= system {
		return usage{}, fmt.Errorf("no times in %q", stat)
	}
	ticks := 0.0
	for _, i := range []int{user, system} {
		n, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return usage{}, err
		}
		ticks += n
	}
	peak, err := process.ParsePeakMemory(status)
	return usage{cpu: ticks / ticksPerSecond, peakRSS: float64(peak) / (1 << 20)}, err
}
