// Package gc is the shell around internal/orphan: it removes what is left of members whose NomadNode is gone.
package gc
