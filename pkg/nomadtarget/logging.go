package nomadtarget

import (
	"bytes"
	stdlog "log"
	"strings"

	"github.com/go-logr/logr"
	"github.com/hashicorp/go-hclog"
	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// bridgeLogs sends what client-go, controller-runtime and Go's own packages log to the agent. Without it the lines of
// the first two are lost: go-plugin replaces the process's stdout and stderr by streams that the agent throws away.
func bridgeLogs(log hclog.Logger) {
	l := logr.New(&hclogSink{log: log.Named("kubernetes")})
	klog.SetLogger(l)
	ctrllog.SetLogger(l)
	stdlog.SetFlags(0)
	stdlog.SetOutput(stdLines{log.Named("go")})
}

// maxStdLine is how many bytes of a line of Go's own packages are logged. net/http quotes up to 4 KiB of what a server
// sends without having been asked.
const maxStdLine = 256

// stdLines is the output of the standard logger.
type stdLines struct{ log hclog.Logger }

// Write is io.Writer's; p is one line.
func (s stdLines) Write(p []byte) (int, error) {
	s.log.Info("a line of Go's own packages", "text", clamp(string(bytes.TrimSpace(p)), maxStdLine))
	return len(p), nil
}

// hclogSink is a logr.LogSink that writes to hclog: V(0) at INFO, V(1) at DEBUG, more talkative levels not at all.
type hclogSink struct {
	log hclog.Logger
}

var _ logr.LogSink = (*hclogSink)(nil)

// Init implements logr.LogSink.
func (s *hclogSink) Init(logr.RuntimeInfo) {}

// Enabled implements logr.LogSink.
func (s *hclogSink) Enabled(level int) bool {
	switch level {
	case 0:
		return s.log.IsInfo()
	case 1:
		return s.log.IsDebug()
	default:
		return false
	}
}

// Info implements logr.LogSink.
func (s *hclogSink) Info(level int, msg string, keysAndValues ...any) {
	msg = strings.TrimSpace(msg)
	if level == 0 {
		s.log.Info(msg, keysAndValues...)
		return
	}
	s.log.Debug(msg, keysAndValues...)
}

// Error implements logr.LogSink.
func (s *hclogSink) Error(err error, msg string, keysAndValues ...any) {
	s.log.Error(strings.TrimSpace(msg), append([]any{"error", err}, keysAndValues...)...)
}

// WithValues implements logr.LogSink.
func (s *hclogSink) WithValues(keysAndValues ...any) logr.LogSink {
	return &hclogSink{log: s.log.With(keysAndValues...)}
}

// WithName implements logr.LogSink.
func (s *hclogSink) WithName(name string) logr.LogSink {
	return &hclogSink{log: s.log.Named(name)}
}
