// Package controllers is the shell around the pure packages: its reconcilers observe, ask internal/pool and
// internal/member what to do, do it, and report.
package controllers
