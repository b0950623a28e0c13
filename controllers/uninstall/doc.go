// Package uninstall protects an installation from being removed while there are pools or members. Nothing may enter
// that is about a single pool or member.
package uninstall
