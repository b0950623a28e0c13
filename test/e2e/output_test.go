package e2e

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/test/testenv"
)

// recordTo is the file to which what the controllers said during the tests is added, if it is set. docs/messages.txt
// is made so (make messages), and docs/troubleshooting.md is held to it.
var recordTo = os.Getenv("NOMAD_HARVESTER_RECORD")

// mostMessages is how many different messages of one condition's reason are kept, to show what varies.
const mostMessages = 8

// output is what `kubectl describe` would have shown of pools and members, at any moment.
type output struct {
	mu   sync.Mutex
	seen map[string][]string // by kind and condition or Event
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
	return follow(w, o.note, &v1alpha1.NomadNodePoolList{}, &v1alpha1.NomadNodeList{}, &eventsv1.EventList{})
}

// follow has note see all objects of these kinds, each time that they change, until the environment's end.
func follow(w *testenv.Environment, note func(runtime.Object), kinds ...client.ObjectList) error {
	c, err := client.NewWithWatch(w.RESTConfig, client.Options{Scheme: kube.Scheme()})
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		go func() {
			for { // the tests cut connections
				if changes, err := c.Watch(context.Background(), kind); err == nil {
					for change := range changes.ResultChan() {
						note(change.Object)
					}
				}
				time.Sleep(poll)
			}
		}()
	}
	return nil
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
	message = strings.ReplaceAll(message, o.dir, "/tmp/testenv")
	if got := o.seen[what]; len(got) < mostMessages && !slices.Contains(got, message) {
		o.seen[what] = append(got, message)
	}
}

// addTo adds what was seen to what the file holds already: the tests run in several environments.
func (o *output) addTo(file string) error {
	old, err := os.Open(file)
	switch {
	case os.IsNotExist(err):
	case err != nil:
		return err
	default:
		defer func() { _ = old.Close() }()
		for lines := bufio.NewScanner(old); lines.Scan(); {
			if what, message, ok := strings.Cut(lines.Text(), ": "); ok {
				o.add(what, message)
			}
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(o.seen)) {
		for _, message := range slices.Sorted(slices.Values(o.seen[what])) {
			fmt.Fprintf(&b, "%s: %s\n", what, strings.ReplaceAll(message, "\n", " "))
		}
	}
	return os.WriteFile(file, []byte(b.String()), 0o644)
}
