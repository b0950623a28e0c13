package nomad

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/semaphore"
)

// Whoever may register clients in a Nomad cluster can give them our key, and a hostile server can list as many nodes
// and allocations as it likes. These bound the memory that they take.
const (
	// maxNodes is how many nodes of one cluster are kept: ten pools of the greatest size. maxAllocations is how many
	// allocations of draining nodes: thirty on each node of a pool of the greatest size.
	maxNodes, maxAllocations = 10_000, 30_000
	// nodeBytes and allocationBytes are about what they take beside their texts.
	nodeBytes, allocationBytes = 700, 300
	// maxReserved is how many bytes the nodes of all clusters may take together, and freeReserved how many of each
	// cluster aren't counted: a thousand nodes are always kept.
	maxReserved, freeReserved = 48 << 20, 1 << 20
	// maxAllocationsReserved and freeAllocations are the same for allocations: four hundred are always kept.
	maxAllocationsReserved, freeAllocations = 24 << 20, 256 << 10
	// reservedChunk is what is taken of what all may take at once.
	reservedChunk = 64 << 10
)

// The list was not read to its end.
var (
	errTooManyNodes = errors.New("it lists more nodes than are kept")

	errTooManyAllocations = fmt.Errorf(
		"it lists more allocations of draining nodes than are kept, which are %d at most, and %d MiB of those of all Nomads",
		maxAllocations, maxAllocationsReserved>>20)
)

// holding is the memory that takes what is kept of one list.
type holding struct {
	holdingOf
	items int
	// reserved is what was taken of the semaphore, and lent what of it belongs to the list that is kept meanwhile.
	bytes, texts, reserved, lent int64
}

// holdingOf is what is the same for all lists of a kind.
type holdingOf struct {
	// of is what all clusters may take together, beside what each takes for free.
	of   *semaphore.Weighted
	free int64
	most int // items
	each int64
	full error
}

func holdingNodes(of *semaphore.Weighted) *holding {
	return &holding{holdingOf: holdingOf{of, freeReserved, maxNodes, nodeBytes, errTooManyNodes}}
}

func holdingAllocations(of *semaphore.Weighted) *holding {
	return &holding{holdingOf: holdingOf{of, freeAllocations, maxAllocations, allocationBytes, errTooManyAllocations}}
}

// again is for the next list, which takes the place of this one: a list that didn't grow must not need twice its
// memory.
func (h *holding) again() *holding {
	return &holding{holdingOf: h.holdingOf, reserved: h.reserved, lent: h.reserved}
}

// giveUp gives back what only this list has taken, because the former one is kept.
func (h *holding) giveUp() { h.take(h.lent) }

// take has what was taken be so much, at most what it is.
func (h *holding) take(reserved int64) {
	if h.reserved > reserved {
		h.of.Release(h.reserved - reserved)
		h.reserved = reserved
	}
}

// keep gives back what a shorter list than the former one doesn't need. What was lent is its own now.
func (h *holding) keep() {
	chunks := (max(h.bytes-h.free, 0) + reservedChunk - 1) / reservedChunk
	h.take(chunks * reservedChunk)
	h.lent = 0
}

// add counts an item with these texts. However much is free, the texts of a list have a limit.
func (h *holding) add(texts ...string) error {
	h.items++
	h.bytes += h.each
	for _, t := range texts {
		h.bytes += int64(len(t))
		h.texts += int64(len(t))
	}
	switch {
	case h.items > h.most:
		return h.full
	case h.texts > maxKept:
		return errTooLarge
	}
	for h.reserved < h.bytes-h.free {
		if !h.of.TryAcquire(reservedChunk) {
			return h.full
		}
		h.reserved += reservedChunk
	}
	return nil
}

// release gives the memory back, because the items aren't kept any more.
func (h *holding) release() {
	h.take(0)
	*h = holding{holdingOf: h.holdingOf}
}

// To read a list takes some 20 ns of CPU for each byte. A connection may use a fifth of the time of one processor for
// it, so that a server whose long list changes all the time doesn't take it from all others. 1,000 nodes have 5 MB.
const pausePerByte = 100 * time.Nanosecond

// tooManyPause is how long to wait after a list that was too long: nobody needs it soon.
const tooManyPause = 30 * time.Second

// listPause is how long to wait at least after so many bytes were read of a list.
func listPause(bytes int64, err error) time.Duration {
	pause := time.Duration(bytes) * pausePerByte
	if errors.Is(err, errTooManyNodes) || errors.Is(err, errTooManyAllocations) || errors.Is(err, errTooLarge) {
		pause = max(pause, tooManyPause)
	}
	return pause
}
