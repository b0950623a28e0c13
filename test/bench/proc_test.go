package main

import (
	"os"
	"testing"
)

func TestUsage(t *testing.T) {
	stat := "7 (a b) c) S 1 7 7 0 -1 4194560 1 0 0 0 250 150 9 9 20 0 1 0 1 1 1"
	got, err := parseUsage([]byte(stat), []byte("Name:\ta\nVmPeak:\t 9 kB\nVmHWM:\t   2048 kB\nVmRSS:\t 1 kB\n"))
	if want := (usage{cpu: 4, peakRSS: 2}); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for _, bad := range [][2]string{{"", "VmHWM: 1 kB"}, {stat, "Name: a"}} {
		if got, err := parseUsage([]byte(bad[0]), []byte(bad[1])); err == nil {
			t.Errorf("%q gives %+v", bad, got)
		}
	}
	if mine, err := usageOf(os.Getpid()); err != nil || mine.peakRSS < 1 {
		t.Errorf("this process: %+v, %v", mine, err)
	}
}
