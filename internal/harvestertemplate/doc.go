// Package harvestertemplate makes a pool's template complete from one of Harvester's VM templates: what the pool leaves
// out is taken over from the version, except for what belongs to one VM alone.
//
// It is pure. Nothing may enter that reads the cluster (package preflight reads the versions), or that makes a VM.
package harvestertemplate
