// Package chart tests that nomad-harvester can be installed, upgraded and removed, by Helm and by kubectl, in an
// environment of its own: what is done there concerns the whole cluster.
package chart
