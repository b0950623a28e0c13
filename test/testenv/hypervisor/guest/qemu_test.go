package guest

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestSeededNodeID(t *testing.T) {
	for name, c := range map[string]struct{ userData, want string }{
		"none":       {"#cloud-config\nhostname: a\n", ""},
		"a script":   {"#!/bin/sh\n", ""},
		"seeded":     {"#cloud-config\nwrite_files: [{path: /opt/nomad/data/client/client-id, content: 6f1c}]\n", "6f1c"},
		"other file": {"#cloud-config\nwrite_files: [{path: /opt/nomad/data/client/secret-id, content: 6f1c}]\n", ""},
	} {
		if got := seededNodeID([]byte(c.userData)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestQemuArgs(t *testing.T) {
	m := Machine{CPUs: 2, MemoryMiB: 924, UUID: "0d5f1b9e", Serial: "a,b",
		MACs: []string{"52:54:00:00:00:01", "52:54:00:00:00:02"}}
	for _, c := range []struct {
		qemu Qemu
		want []string
	}{
		{Qemu{}, []string{"-smp 2", "-m 924", "-uuid 0d5f1b9e", "serial=a,,b", "netdev=net1,mac=52:54:00:00:00:02",
			"-accel tcg"}},
		{Qemu{KVM: true}, []string{"-accel kvm", "-cpu host"}},
	} {
		args := strings.Join(c.qemu.args(m), " ")
		for _, want := range c.want {
			if !strings.Contains(args, want) {
				t.Errorf("%+v: %q lacks %q", c.qemu, args, want)
			}
		}
	}
}

// qemu greets, and tells of events between a command and its answer.
func TestAnswerOfQemu(t *testing.T) {
	talk := `{"QMP": {"version": {}, "capabilities": []}} {"return": {}} {"event": "RESET"} {"error": {"class": "X", "desc": "no"}}`
	decoder := json.NewDecoder(strings.NewReader(talk))
	if err := answered(decoder); err != nil {
		t.Error(err)
	}
	if err := answered(decoder); err == nil || err.Error() != "no" {
		t.Errorf("got %v, want qemu's own words", err)
	}
	if err := answered(decoder); err == nil {
		t.Error("an end without an answer is an error")
	}
}
