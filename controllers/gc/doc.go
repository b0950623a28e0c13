// Package gc collects orphaned resources: it observes what is left of members whose NomadNode is gone, has
// internal/orphan decide, removes what may go, and emits Events. No decision may enter that internal/orphan could make.
package gc
