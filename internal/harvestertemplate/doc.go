// Package harvestertemplate makes a pool's template complete from one of Harvester's VM templates: what the pool leaves
// out is taken over from the version, what belongs to one VM alone is left behind.
//
// It is pure: versions are read by package preflight.
package harvestertemplate
