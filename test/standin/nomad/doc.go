// Command nomad stands in for HashiCorp Nomad where there is none: it is written to behave as Nomad 1.11 does in what
// this project and its tests can observe, and answers to the commands, flags and configuration of Nomad that these
// use. It is made for tests: nothing here replicates, isolates or encrypts what it stores. test/testenv/README.md says
// what else it lacks.
//
// Real or stand-in: a stand-in. May not enter: source or modules of Nomad but nomad/api, and knowledge of the product.
package main
