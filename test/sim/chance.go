package sim

import (
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// chance gives out streams of random numbers, one for each matter, so that to turn off one kind of fault disturbs the
// others as little as can be.
type chance struct {
	seed    uint64
	streams map[string]*stream
}

// stream is a source of random numbers.
type stream struct{ *rand.Rand }

func newChance(seed uint64) *chance { return &chance{seed: seed, streams: map[string]*stream{}} }

func (c *chance) of(matter string) *stream {
	s := c.streams[matter]
	if s == nil {
		h := fnv.New64a()
		_, _ = h.Write([]byte(matter)) // a hash never fails
		s = &stream{rand.New(rand.NewPCG(c.seed, h.Sum64()))}
		c.streams[matter] = s
	}
	return s
}

// once in n times is true.
func (s *stream) once(n int) bool { return n > 0 && s.IntN(n) == 0 }

// between is a duration from a to b.
func (s *stream) between(a, b time.Duration) time.Duration {
	if b <= a {
		return a
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
