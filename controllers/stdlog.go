package controllers

import (
	"bytes"
	"log"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
)

// How much of what Go's own packages write to the standard logger is logged. net/http quotes up to 4 KiB of what a
// server sends without having been asked, each time.
const (
	maxStdLine   = 256
	stdLineBurst = 10
	stdLineEvery = 10 * time.Second
)

// stdLines is an io.Writer for the standard logger.
type stdLines struct {
	to      *zap.Logger
	limit   *rate.Limiter
	skipped atomic.Int64
}

// redirectStdLog has the lines of the standard logger be lines of the log, instead of text between them. zap's own
// function for it takes any number of lines of any length.
func redirectStdLog(to *zap.Logger) (restore func()) {
	flags, prefix, out := log.Flags(), log.Prefix(), log.Writer()
	log.SetFlags(0)
	log.SetPrefix("")
	log.SetOutput(&stdLines{to: to.Named("go").WithOptions(zap.WithCaller(false)),
		limit: rate.NewLimiter(rate.Every(stdLineEvery), stdLineBurst)})
	return func() {
		log.SetFlags(flags)
		log.SetPrefix(prefix)
		log.SetOutput(out)
	}
}

// Write is io.Writer's; p is one line.
func (s *stdLines) Write(p []byte) (int, error) {
	if !s.limit.Allow() {
		s.skipped.Add(1)
		return len(p), nil
	}
	s.to.Info("a line of Go's own packages", zap.String("text", kube.Clamp(string(bytes.TrimSpace(p)), maxStdLine)),
		zap.Int64("unlogged", s.skipped.Swap(0)))
	return len(p), nil
}
