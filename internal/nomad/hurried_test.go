package nomad

import (
	"time"

	"k8s.io/utils/clock"
)

// hurried is a clock whose timers wait for nothing.
type hurried struct{ clock.WithTicker }

func (h hurried) NewTimer(time.Duration) clock.Timer { return h.WithTicker.NewTimer(time.Millisecond) }
