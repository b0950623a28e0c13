// Package config reads the configuration of a Nomad agent: the HCL and JSON that Nomad reads, merged as Nomad merges
// it, and refused where Nomad refuses it.
//
// Real or stand-in: a part of the stand-in. May not enter: source or modules of Nomad but nomad/api, and knowledge of
// the product.
package config
