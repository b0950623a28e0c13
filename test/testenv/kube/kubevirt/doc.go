// Package kubevirt runs KubeVirt's own virt-api, with its admission webhooks and its aggregated API, and
// virt-controller on a loopback control plane, in Harvester's namespace. virt-operator's part is played by
// manifests that its own code generated; virt-handler's by the hypervisor of the test environment.
//
// Real or stand-in: real, but for virt-operator and virt-handler. May not enter: copies of KubeVirt's rules: its own
// code has to judge.
package kubevirt
