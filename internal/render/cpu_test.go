package render_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
	"github.com/nomad-harvester/nomad-harvester/internal/render"
)

const (
	// mostCPU is what one reconcile of a pool may take of a processor: with a thousand pools, each reconciled every half a
	// minute, that is a processor and a half. Twice as much, because a processor that others use at the same time does less.
	mostCPU = 2 * 50 * time.Millisecond
	// mostUserData and mostValues are how much a Secret's user data may have (internal/cloudinit).
	mostUserData = 64 << 10
	mostValues   = 4000
)

// largestUserData is user data that is accepted, or refused only when it has been read, in the forms that may take long.
var largestUserData = map[string]string{
	"short items":  "#cloud-config\npackages:\n" + strings.Repeat("- a\n", mostValues-10),
	"many files":   "#cloud-config\nwrite_files:\n" + strings.Repeat("- {path: /a, content: b}\n", mostValues/5-10),
	"one text":     "#cloud-config\nwrite_files:\n- path: /a\n  content: " + strings.Repeat("x", mostUserData-100),
	"a long list":  "#cloud-config\npackages: [" + strings.Repeat("a,", (mostUserData-30)/2) + "]",
	"many lists":   "#cloud-config\nruncmd:\n" + strings.Repeat("- [a, b]\n", mostValues/3-10),
	"many strings": "#cloud-config\nruncmd:\n" + strings.Repeat("- \"a\\x01: b\"\n", mostValues-10),
	"aliases":      "#cloud-config\na: &a [" + strings.Repeat("x,", 1000) + "]\nb: [" + strings.Repeat("*a,", 1000) + "]",
}

// Nobody's pool, however large it is, keeps the controller from the others.
func TestLargestPoolTakesLittleCPU(t *testing.T) {
	for name, text := range largestUserData {
		t.Run(name, func(t *testing.T) {
			p := blueprinttest.LargestPool("nomad-clients")
			f := blueprinttest.FactsOf(p)
			f.Secrets["largest"] = map[string]string{"x": text}
			p.Spec.Template.CloudInit.UserData = ""
			p.Spec.Template.CloudInit.UserDataSecretRef = &v1alpha1.SecretKeyRef{Name: "largest", Key: "x"}
			m := blueprinttest.Member()
			m.Template, m.Client = p.Spec.Template, p.Spec.Nomad.NomadClient
			s := busy(1000)
			pass := func() {
				// Pre-flight comes first, and refuses what has too many values.
				if _, err := render.Member(m, f); err != nil && !strings.Contains(err.Error(), "more than 4000 keys and values") {
					t.Fatalf("%.300v", err)
				}
				if pool.Decide(s).Create == 0 {
					t.Fatal("nothing was to be done")
				}
			}
			if is := least(pass); is > mostCPU {
				t.Errorf("a reconcile takes %s of a processor, and may take %s", is, mostCPU)
			} else {
				t.Log(is)
			}
		})
	}
}

// busy is a pool that has some members and wants that many.
func busy(members int) pool.Snapshot {
	s := pool.Snapshot{Now: time.Unix(1e9, 0), Replicas: members, NomadKnown: true, HostsKnown: true, Revision: "new"}
	for i := range members / 2 {
		s.Members = append(s.Members, pool.Member{Name: fmt.Sprintf("largest-%d", i), Revision: "old", Joined: true,
			Ready: true, Created: s.Now.Add(-time.Hour)})
	}
	return s
}

// least is the least that something takes of the processors, of a few times: others on this machine make it more, and
// never less.
func least(do func()) time.Duration {
	best := time.Hour
	for range 10 {
		before := used()
		do()
		best = min(best, used()-before)
	}
	return best
}

func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano())
}
