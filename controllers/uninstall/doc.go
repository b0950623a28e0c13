// Package uninstall guards an installation against its removal while there are pools or members.
package uninstall
