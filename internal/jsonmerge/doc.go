// Package jsonmerge lays one JSON document over another: RFC 7386, and lists whose items have names merged by name.
//
// It is pure and knows no Kubernetes. Which fields may be changed is not its question, but that of package vm.
package jsonmerge
