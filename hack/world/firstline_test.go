package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// soon is within what time somebody who has typed a command must read something.
const soon = 2 * time.Second

// Whoever starts a world, or the demo, reads something soon, however long it takes to compile them: here that takes for
// ever.
func TestFirstLineComesSoon(t *testing.T) {
	for _, target := range []string{"world", "demo"} {
		t.Run(target, func(t *testing.T) {
			bin := t.TempDir()
			if err := os.WriteFile(filepath.Join(bin, "go"), []byte("#!/bin/sh\nexec sleep 1000\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), "make", "--no-print-directory", "-C", "../..", target)
			cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "VERSION=test", "MAKEFLAGS=")
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
				_ = cmd.Wait()
			})
			line, lines := "", make(chan string, 1)
			go func() {
				text, _ := bufio.NewReader(out).ReadString('\n')
				lines <- text
			}()
			select {
			case line = <-lines:
			case <-time.After(10 * soon): // ten times that, so that a failure shows how late it was
			}
			if took := time.Since(began); took > soon || !strings.HasPrefix(line, "make "+target+": ") {
				t.Errorf("after %s it said %q", took.Round(time.Millisecond), line)
			} else {
				t.Logf("after %s: %s", took.Round(time.Millisecond), line)
			}
		})
	}
}
