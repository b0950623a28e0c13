// Package nomad holds a Nomad, whichever is there, to what the product and its tests depend on.
//
// Each behaviour has a name, the place in our notes on Nomad (facts/nomad.md) where it was found, and a check. A
// server is started per configuration, and the behaviours of one share it: each has a node pool and jobs of its own.
//
//	make contract                          with the Nomad that the test environment finds, else the stand-in
//	make contract NOMAD_BIN=/path/to/nomad with that one
//	make contract NOMAD=standin            with the stand-in
//
// One behaviour: go test ./test/contract/nomad -run 'TestContract/plain/drain-' -v.
//
// A behaviour that fails with a Nomad is a difference between it and the stand-in, or an expectation of the test that
// is wrong, which passes all of them: either the stand-in is to be mended, or the difference is to be written down
// with the version. TestPlantedDifferences shows that the behaviours notice: it puts wrong answers between the server
// and them.
//
// TestRecordedAnswersAreThoseOfThisNomad holds the answers with which fuzzing begins (internal/nomad/testdata/answers)
// to the Nomad at hand; with -update it writes them anew.
//
// Real or stand-in: what it judges is real, or the stand-in that has to pass for it. May not enter: source of Nomad,
// and exceptions for the stand-in.
package nomad
