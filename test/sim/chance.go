package sim

import (
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// chance gives out streams of random numbers, one for each matter, so that to turn off one kind of fault disturbs the
// others as little as can be.
type chance struct {
	seed uint64
	// calm streams leave nothing to chance: what is drawn is what is usual.
	calm    bool
	streams map[string]*stream
}

// stream is a source of random numbers.
type stream struct {
	*rand.Rand
	calm bool
}

func newChance(seed uint64) *chance { return &chance{seed: seed, streams: map[string]*stream{}} }

func (c *chance) of(matter string) *stream {
	s := c.streams[matter]
	if s == nil {
		h := fnv.New64a()
		_, _ = h.Write([]byte(matter)) // a hash never fails
		s = &stream{rand.New(rand.NewPCG(c.seed, h.Sum64())), c.calm}
		c.streams[matter] = s
	}
	return s
}

// once in n times is true.
func (s *stream) once(n int) bool { return n == 1 || n > 1 && !s.calm && s.Rand.IntN(n) == 0 }

// IntN is rand.Rand's.
func (s *stream) IntN(n int) int {
	if s.calm {
		return 0
	}
	return s.Rand.IntN(n)
}

// Shuffle is rand.Rand's.
func (s *stream) Shuffle(n int, swap func(i, j int)) {
	if !s.calm {
		s.Rand.Shuffle(n, swap)
	}
}

// between is a duration from a to b.
func (s *stream) between(a, b time.Duration) time.Duration {
	if b <= a {
		return a
	}
	if s.calm {
		return a + (b-a)/2
	}
	return a + time.Duration(s.Int64N(int64(b-a)))
}

// rarely is short, and once in a while long.
func (s *stream) rarely(n int, short, long time.Duration) time.Duration {
	if s.once(n) {
		return s.between(short, long)
	}
	return s.between(short/4, short)
}

func pick[T any](s *stream, of ...T) T { return of[s.IntN(len(of))] }
