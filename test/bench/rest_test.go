package main

import (
	"strings"
	"testing"
)

func TestWork(t *testing.T) {
	got, err := parseWork(strings.NewReader(`# HELP workqueue_depth Current depth
workqueue_depth{controller="nomadnode",name="nomadnode",priority="0"} 3
workqueue_depth{controller="nomadnodepool",name="nomadnodepool"} 0
controller_runtime_active_workers{controller="nomadnode"} 2
controller_runtime_reconcile_total{controller="nomadnode",result="success"} 1.5e+03
controller_runtime_reconcile_total{controller="nomadnode",result="requeue_after"} 7
controller_runtime_reconcile_errors_total{controller="nomadnode"} 9
process_cpu_seconds_total 5
`))
	if want := (work{done: 1507, waiting: 5}); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if got, err := parseWork(strings.NewReader("up 1\n")); err == nil {
		t.Errorf("a page without controllers gives %+v", got)
	}
}
