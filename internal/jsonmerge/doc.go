// Package jsonmerge lays one JSON document over another: RFC 7386, and lists whose items have names merged by name.
//
// It is pure. Nothing of Kubernetes may enter: which fields an overlay may change is decided in package vm.
package jsonmerge
