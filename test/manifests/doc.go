// Package manifests tries manifests that can't work on a real API server, with the kinds and the admission policies as
// they are installed: each is refused with the field, the value and the remedy, or, where only the cluster tells, the
// pool's condition has them.
package manifests
