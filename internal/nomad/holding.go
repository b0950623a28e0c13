package nomad

import (
	"errors"
	"time"

	"golang.org/x/sync/semaphore"
)

// Whoever may register clients in a Nomad cluster can give them our key, and a hostile server can list as many as it
// likes. These bound the memory that they take.
const (
	// maxNodes is how many nodes of one cluster are kept: ten pools of the greatest size.
	maxNodes = 10_000
	// nodeBytes is about what a node takes beside its texts.
	nodeBytes = 700
	// maxReserved is how many bytes the nodes of all clusters may take together, and freeReserved how many of each
	// cluster aren't counted: a thousand nodes are always kept.
	maxReserved, freeReserved = 48 << 20, 1 << 20
	// reservedChunk is what is taken of maxReserved at once.
	reservedChunk = 64 << 10
)

// errTooManyNodes: the list of nodes was not read to its end.
var errTooManyNodes = errors.New("it lists more nodes than are kept")

// holding is the memory that the nodes of one list take.
type holding struct {
	of    *semaphore.Weighted
	nodes int
	// reserved is what was taken of the semaphore, and lent what of it belongs to the list that is kept meanwhile.
	bytes, reserved, lent int64
}

// again is for the next list, which takes the place of this one: a list that didn't grow must not need twice its
// memory.
func (h *holding) again() *holding { return &holding{of: h.of, reserved: h.reserved, lent: h.reserved} }

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
	chunks := (max(h.bytes-freeReserved, 0) + reservedChunk - 1) / reservedChunk
	h.take(chunks * reservedChunk)
	h.lent = 0
}

func (h *holding) add(n Node) error {
	h.nodes++
	h.bytes += nodeBytes
	for _, t := range n.texts() {
		h.bytes += int64(len(t))
	}
	if h.nodes > maxNodes {
		return errTooManyNodes
	}
	for h.reserved < h.bytes-freeReserved {
		if !h.of.TryAcquire(reservedChunk) {
			return errTooManyNodes
		}
		h.reserved += reservedChunk
	}
	return nil
}

// release gives the memory back, because the nodes aren't kept any more.
func (h *holding) release() {
	h.take(0)
	*h = holding{of: h.of}
}

// To read a list takes some 20 ns of CPU for each byte. A connection may use a fifth of the time of one processor for
// it, so that a server whose long list changes all the time doesn't take it from all others. 1,000 nodes have 5 MB.
const pausePerByte = 100 * time.Nanosecond

// tooManyPause is how long to wait after a list that was too long: nobody needs it soon.
const tooManyPause = 30 * time.Second

// listPause is how long to wait at least after so many bytes were read of a list.
func listPause(bytes int64, err error) time.Duration {
	pause := time.Duration(bytes) * pausePerByte
	if errors.Is(err, errTooManyNodes) || errors.Is(err, errTooLarge) {
		pause = max(pause, tooManyPause)
	}
	return pause
}
