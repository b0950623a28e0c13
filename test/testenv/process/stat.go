package process

import (
	"bytes"
	"strings"
)

// StatFields returns the fields of proc_pid_stat(5) from the third on, the state. The second is the program's name, in
// parentheses, which may hold anything.
func StatFields(stat []byte) []string {
	return strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
}
