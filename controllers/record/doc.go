// Package record reads what a NomadNode says. Both controllers read it by this alone; nothing here asks or writes anything.
package record
