// Package controllers puts the controllers together and runs them. Each has a room: pool, node and gc observe, ask
// internal/pool, internal/member and internal/orphan what to do, do it, and report; uninstall guards the
// installation. What they share is in kube, record and nomadlink, which don't know them.
package controllers
