// Package controllers reads the flags, puts the controllers together and runs them. Each controller has a package:
// pool, node and gc observe, ask internal/pool, internal/member and internal/orphan what to do, do it, and report.
// uninstall protects the installation. What they share is in kube and nomadlink, which don't import them. Nothing may
// enter that observes, decides or acts for one of the controllers.
package controllers
