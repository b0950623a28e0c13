package nomad_test

import (
	"slices"
	"testing"
)

func TestMountsBelowComeInnermostFirst(t *testing.T) {
	const table = `22 1 8:1 / / rw - ext4 /dev/sda1 rw
70 22 0:50 / /tmp/contract-1/data/alloc/a/task/secrets rw,noexec - tmpfs tmpfs rw
71 70 0:51 / /tmp/contract-1/data/alloc/a/task/secrets/inner rw - tmpfs tmpfs rw
72 22 0:52 / /tmp/contract-11/data rw - tmpfs tmpfs rw
short
`
	want := []string{"/tmp/contract-1/data/alloc/a/task/secrets/inner", "/tmp/contract-1/data/alloc/a/task/secrets"}
	if got := mountsBelow(table, "/tmp/contract-1"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
