package drainer

// Quirk says when the drainer shows one of its faults.
type Quirk int

// Modes of a quirk.
const (
	// AsNomad shows the fault when Nomad would.
	AsNomad Quirk = iota
	// Never doesn't show it.
	Never
)

// Quirks are the faults of Nomad's drainer (facts/nomad.md §2).
type Quirks struct {
	// SysBatchStall: nobody notices the end of a sysbatch allocation (stall 1).
	SysBatchStall Quirk
	// ConcurrentStall: allocations that end while a request to migrate others waits for its batch are missed (stall 2).
	ConcurrentStall Quirk
}
