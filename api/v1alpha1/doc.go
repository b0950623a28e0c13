// Package v1alpha1 is the API of nomad-harvester: pools of HashiCorp Nomad clients that run as virtual machines on
// SUSE Harvester. It holds the kinds, their validation, the types and reasons of conditions, and the labels and
// annotations.
//
// Nothing may enter that decides or that reads a cluster. It imports no other package of this repository.
//
// +kubebuilder:object:generate=true
// +groupName=nomad.harvesterhci.io
package v1alpha1
