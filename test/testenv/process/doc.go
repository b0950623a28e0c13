// Package process runs the programs of the test environment: each in a process group of its own, dying with
// the process that started it, with its output in a file that error messages can quote.
//
// Linux only: it relies on parent-death signals and, for Spec.Unshare, on util-linux.
//
// Real or stand-in: it starts real processes. May not enter: knowledge of any program.
package process
