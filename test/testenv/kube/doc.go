// Package kube runs a real Kubernetes control plane on loopback: etcd, kube-apiserver and
// kube-controller-manager, with RBAC, aggregation and the default admission plugins. There is no
// scheduler, no kubelet and no volume provisioner: the hypervisor of the test environment stands in for the
// first two, harvester-lite's fake provisioner for the third.
//
// Real or stand-in: real. May not enter: fakes of the API: what has no real program here is absent.
package kube
