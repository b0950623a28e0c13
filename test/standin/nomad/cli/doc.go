// Package cli are the commands of the stand-in: those of Nomad that people, scripts and documents use, with Nomad's
// flags and exit codes.
//
// Real or stand-in: a part of the stand-in. May not enter: source or modules of Nomad but nomad/api, and knowledge of
// the product.
package cli
