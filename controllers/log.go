package controllers

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	ctrlzap "sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// newLogger is controller-runtime's logger without its sampling, which would drop most lines if 100 members end at once
// and log the same message. Its options can't switch that off.
func newLogger(o ctrlzap.Options) *zap.Logger {
	var all zapcore.Core
	before := zap.WrapCore(func(c zapcore.Core) zapcore.Core { all = c; return c })
	o.ZapOpts = append([]zap.Option{before, zap.AddCaller()}, o.ZapOpts...)
	return ctrlzap.NewRaw(ctrlzap.UseFlagOptions(&o)).
		WithOptions(zap.WrapCore(func(zapcore.Core) zapcore.Core { return all }))
}
