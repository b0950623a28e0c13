package controllers

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	ctrlzap "sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// mostVerbose is the highest verbosity that is written. From 6 on client-go writes its requests, and from 8 on their
// bodies: the Secrets that the controller reads and makes.
const mostVerbose = 5

// bounded writes nothing that is more verbose than mostVerbose, whatever the flag says.
type bounded struct{ zapcore.LevelEnabler }

// Enabled says whether a line of that level is written.
func (b bounded) Enabled(l zapcore.Level) bool { return l >= -mostVerbose && b.LevelEnabler.Enabled(l) }

// newLogger is controller-runtime's logger without its sampling, which would drop most lines if 100 members end at once
// and log the same message. Its options can't switch that off.
func newLogger(o ctrlzap.Options) *zap.Logger {
	var all zapcore.Core
	before := zap.WrapCore(func(c zapcore.Core) zapcore.Core { all = c; return c })
	o.ZapOpts = append([]zap.Option{before, zap.AddCaller()}, o.ZapOpts...)
	if o.Level != nil {
		o.Level = bounded{o.Level}
	}
	return ctrlzap.NewRaw(ctrlzap.UseFlagOptions(&o)).
		WithOptions(zap.WrapCore(func(zapcore.Core) zapcore.Core { return all }))
}
