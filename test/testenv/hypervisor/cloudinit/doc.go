// Package cloudinit does for a simulated guest what cloud-init does for a real one, as far as a Nomad client
// needs it: hostname, write_files, and the knowledge which services runcmd would start. Commands aren't run.
//
// Real or stand-in: a stand-in. May not enter: internal/cloudinit: what it reads is judged without knowing how it was
// rendered.
package cloudinit
