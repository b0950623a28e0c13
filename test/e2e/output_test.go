package e2e

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"

	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/messages"
	"github.com/nomad-harvester/nomad-harvester/test/testenv"
)

// recordTo is the file to which what the controllers said during the tests is added, if it is set. `make test` sets it,
// and compares it with docs/messages.txt in the end; `make messages` adds it to that.
var recordTo = os.Getenv("NOMAD_HARVESTER_RECORD")

// output is what `kubectl describe` would have shown of pools and members, at any moment.
type output struct {
	mu   sync.Mutex
	seen messages.Set // by kind and condition or Event
	// dir is the directory of the environment, whose name is another one each time.
	dir string
}

// recording runs tests and then adds what was seen to a file.
type recording struct {
	testenv.Tests
	seen *output
}

// Run runs the tests.
func (r recording) Run() int {
	code := r.Tests.Run()
	if err := r.seen.addTo(recordTo); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// watchIfWanted records until the environment's end.
func (o *output) watchIfWanted(w *testenv.Environment) error {
	if recordTo == "" {
		return nil
	}
	o.dir = w.Dir
	return w.Follow(o.note, &v1alpha1.NomadNodePoolList{}, &v1alpha1.NomadNodeList{}, &eventsv1.EventList{})
}

func (o *output) note(about runtime.Object) {
	switch about := about.(type) {
	case *v1alpha1.NomadNodePool:
		o.conditions("pool", about.Status.Conditions)
	case *v1alpha1.NomadNode:
		o.conditions("member", about.Status.Conditions)
	case *eventsv1.Event:
		switch about.Regarding.Kind {
		case "NomadNodePool":
			o.add("pool Event "+about.Reason, about.Note)
		case "NomadNode":
			o.add("member Event "+about.Reason, about.Note)
		}
	}
}

func (o *output) conditions(kind string, all []metav1.Condition) {
	for _, c := range all {
		o.add(fmt.Sprintf("%s %s/%s %s", kind, c.Type, c.Reason, c.Status), c.Message)
	}
}

func (o *output) add(what, message string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen.Add(what, strings.ReplaceAll(message, o.dir, "/tmp/testenv"))
}

// addTo adds what was seen to what the file holds already: the tests run in several environments, side by side.
func (o *output) addTo(name string) error {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // which gives the lock back, too
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.seen.Read(file); err != nil {
		return err
	}
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err = file.WriteAt([]byte(o.seen.String()), 0)
	return err
}
