package cloudinit

import (
	"crypto/sha256"
	"fmt"
	"io"
	"slices"

	"go.yaml.in/yaml/v3"
)

// controllersFirst are the lists in which an item that fails keeps those after it from being done, so that the
// controller's come first: cloud-init writes files one after the other until one of them has an owner that doesn't
// exist, or a content that can't be decoded, and makes one script of the boot commands (cloud-init:
// cloudinit/config/cc_write_files.py, write_files; cc_bootcmd.py). The sources of packages behave the same, though they
// are a mapping (cc_apt_configure.py, add_apt_sources).
var controllersFirst = []string{"write_files", "bootcmd", "apt.sources"}

// inSeparateShell puts the user's commands into a separate shell. cloud-init makes one script of all commands
// (cloud-init: cloudinit/util.py, shellify), so an "exit 0", a "set -e", an "exec" or a quote that isn't closed would
// keep the controller's commands from running.
func inSeparateShell(commands []*yaml.Node) []*yaml.Node {
	if !slices.ContainsFunc(commands, func(c *yaml.Node) bool { return !isNull(c) }) {
		return nil
	}
	mark := endOf(commands)
	return slices.Concat([]*yaml.Node{textNode(separateShell(mark))}, commands, []*yaml.Node{textNode(mark)})
}

// separateShell is the command that runs what follows, up to the mark, in another shell. That shell reads it as file 3,
// so that the commands keep their standard input.
func separateShell(mark string) string { return "sh /dev/fd/3 3<<'" + mark + "'" }

// endOf is a line that can't be among the commands, because it holds their hash. If it were, the commands would end
// there.
func endOf(commands []*yaml.Node) string {
	sum := sha256.New()
	for _, c := range commands {
		digest(sum, c)
	}
	return fmt.Sprintf("END-OF-THE-POOLS-RUNCMD-%x", sum.Sum(nil)[:16])
}

func digest(to io.Writer, n *yaml.Node) {
	_, _ = fmt.Fprintf(to, "%d %q %q %d\n", n.Kind, n.Tag, n.Value, len(n.Content)) // a hash takes everything
	for _, child := range n.Content {
		digest(to, child)
	}
}

// checkCommands refuses what cloud-init can't turn into a script: it would run none of the commands, the controller's
// included.
func checkCommands(user *yaml.Node, list string) error {
	for i, c := range itemsOf(valueOf(user, list)) { // the merge refuses what isn't a list
		var kind string
		switch {
		case isText(c), isList(c), isNull(c):
			continue
		case isMapping(c):
			kind = "a mapping, as YAML takes a colon followed by a space"
		case c.Kind == yaml.ScalarNode:
			kind = "a number, a date or true or false"
		default:
			kind = "neither text nor a list"
		}
		return fmt.Errorf(
			"%s[%d], line %d: it is %s, and cloud-init would run none of the commands; put the whole command into quotes, or write it as a list of words",
			list, i, c.Line, kind)
	}
	return nil
}
