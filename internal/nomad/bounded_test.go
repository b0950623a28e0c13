package nomad

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// answering serves the same to every request.
func answering(t *testing.T, serve http.HandlerFunc) Cluster {
	t.Helper()
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	return NewClusters(Options{RequestTimeout: 2 * time.Second}).Get(Connection{Address: server.URL})
}

func saying(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

// zipped is begin, as many of again as have that size, and end; a thousandth of that on the wire.
func zipped(begin, again string, size int, end string) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		panic(err)
	}
	chunk := strings.Repeat(again, 1<<16/len(again)+1)
	_, err = io.WriteString(w, begin)
	for n := 0; n < size && err == nil; n += len(chunk) {
		_, err = io.WriteString(w, chunk)
	}
	if err := errors.Join(err, lastOf(io.WriteString(w, end)), w.Close()); err != nil {
		panic(err)
	}
	return out.Bytes()
}

func lastOf(_ int, err error) error { return err }

func zipping(code int, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(code)
		_, _ = w.Write(body)
	}
}

// peak is by how many bytes the heap grew at most while do ran.
func peak(t *testing.T, do func()) (grew uint64) {
	t.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(100)) // as the controller runs; make test has the collector work less
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	runtime.GC()
	before, done := heap(), make(chan struct{})
	most := before
	var sampler sync.WaitGroup
	sampler.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			most = max(most, heap())
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	do()
	close(done)
	sampler.Wait()
	return most - before
}

// everything asks for all that there is, and returns the errors.
func everything(t *testing.T, c *cluster) []error {
	_, nodes := c.remote.nodes(t.Context(), 0)
	_, live := c.remote.live(t.Context(), []string{nodeA})
	_, running := c.remote.runningAllocations(t.Context(), Node{ID: nodeA})
	_, usage := c.Usage(t.Context(), []string{nodeA})
	_, stop := c.StopTime(t.Context(), nodeA)
	_, node := c.remote.info(t.Context(), nodeA)
	_, self := c.remote.tokenSelf(t.Context())
	_, policies := c.remote.policies(t.Context())
	_, rules := c.remote.policyRules(t.Context(), "p")
	_, leader := c.remote.leader(t.Context())
	_, _, jwt := c.IntroductionToken(t.Context(), "p-1", "default", time.Minute)
	return []error{nodes, live, running, usage, stop, node, self, policies, rules, leader, jwt,
		c.Cordon(t.Context(), nodeA), c.Purge(t.Context(), nodeA)}
}

// bombs are answers that become more than they look like.
var bombs = sync.OnceValue(func() map[string][]byte {
	many := func(format string, n int) string {
		var s strings.Builder
		for i := range n {
			fmt.Fprintf(&s, format, i)
		}
		return s.String()
	}
	entries := many(`"%d":"",`, 50_000)
	named := `{"ID":"` + nodeA + `","NodeID":"` + nodeA + `","ClientStatus":"running","Name":"` + strings.Repeat("n",
		200<<10) + `"},`
	return map[string][]byte{
		"zeros":               zipped("", "0", 256<<20, ""),
		"one text":            zipped(`["`, "x", 63<<20, `"]`),
		"empty items":         zipped("[", "{},", 63<<20, "{}]"),
		"a map in a node":     zipped(`[{"ID":"`+nodeA+`","Attributes":{`, entries, 20<<20, `"k":""}}]`),
		"a map":               zipped(`{"ID":"`+nodeA+`","Attributes":{`, entries, 3<<20, `"k":""}}`),
		"tasks":               zipped(`[{"Job":{"TaskGroups":[{"Tasks":[`, "{},", 20<<20, `{}]}]}}]`),
		"devices":             zipped(`{"ID":"`+nodeA+`","NodeResources":{"Devices":[`, "{},", 3<<20, `{}]}}`),
		"states":              zipped(`[{"ID":"`+nodeA+`","TaskStates":{"a":{"Events":[`, "{},", 20<<20, `{}]}}}]`),
		"nested":              zipped("", "[", 20<<20, ""),
		"allocations by name": zipped("[", named, 12<<20, "{}]"),
		"white space":         zipped("[", "  \n", 63<<20, "]"),
	}
})

// No server takes the memory that all pools share: the controller has 256 MiB (config/manager/deployment.yaml).
func TestAnswersThatGrowAreCutOff(t *testing.T) {
	for name, bomb := range bombs() {
		t.Run(name, func(t *testing.T) {
			c := answering(t, zipping(http.StatusOK, bomb)).(*cluster)
			var errs []error
			if grew := peak(t, func() { errs = everything(t, c) }); grew > 64<<20 {
				t.Errorf("took %d MiB", grew>>20)
			}
			for i, err := range errs {
				if err != nil && len(err.Error()) > maxError+len("…") {
					t.Errorf("%d: an error of %d bytes", i, len(err.Error()))
				}
			}
			if errs[0] == nil && name != "empty items" { // nothing in it has the ID of a node
				t.Error("the list of nodes is believed")
			}
		})
	}
}

// Nor do several at a time.
func TestManyAnswersThatGrowAreCutOff(t *testing.T) {
	for _, name := range []string{"a map in a node", "tasks", "a map", "devices", "allocations by name"} {
		c := answering(t, zipping(http.StatusOK, bombs()[name])).(*cluster)
		grew := peak(t, func() {
			var askers sync.WaitGroup
			for range 8 {
				askers.Go(func() { everything(t, c) })
			}
			askers.Wait()
		})
		if grew > 128<<20 {
			t.Errorf("%s took %d MiB", name, grew>>20)
		}
	}
}

func TestRefusalsThatGrowAreCutOff(t *testing.T) {
	for _, code := range []int{http.StatusForbidden, http.StatusFound} {
		c := answering(t, zipping(code, zipped("", "0", 256<<20, ""))).(*cluster)
		if grew := peak(t, func() { everything(t, c) }); grew > 16<<20 {
			t.Errorf("%d: took %d MiB", code, grew>>20)
		}
	}
}

func TestAnswersOfManyItemsAreCutOff(t *testing.T) {
	c := answering(t, saying("["+strings.Repeat("{},", maxItems)+"{}]")).(*cluster)
	if _, err := c.remote.nodes(t.Context(), 0); !errors.Is(err, ErrUnreachable) ||
		Cause(err) != errTooLarge.Error() {
		t.Errorf("got %v", err)
	}
}

// clientNode is a node as Nomad 1.11.3 lists it with its resources, with the drivers of a VM that has Docker and Java.
func clientNode(i, cores int) string {
	core := `{"BaseSpeed":2596,"Disable":false,"Grade":true,"GuessSpeed":0,"ID":%d,"MaxSpeed":0,"NodeID":0,"SocketID":0}`
	var ids, topology []string
	for c := range cores {
		ids, topology = append(ids, strconv.Itoa(c)), append(topology, fmt.Sprintf(core, c))
	}
	driver := func(name, more string) string {
		return `"` + name + `":{"Attributes":{"driver.` + name + `":"true"` + more +
			`},"Detected":true,"Healthy":true,"HealthDescription":"Healthy","UpdateTime":"2026-11-29T03:48:14.934584548Z"}`
	}
	drivers := []string{
		driver("raw_exec",
			""), driver("exec", ""),
		driver("qemu", `,"driver.qemu.emulators":"i386,x86_64,x86_64-microvm","driver.qemu.version":"7.2.22"`),
		driver(
			"java",
			`,"driver.java.version":"17.0.15","driver.java.runtime":"OpenJDK Runtime Environment (build 17.0.15+6-Debian-1deb12u1)","driver.java.vm":"OpenJDK 64-Bit Server VM (build 17.0.15+6-Debian-1deb12u1, mixed mode, sharing)"`,
		),
		driver(
			"docker",
			`,"driver.docker.version":"27.5.1","driver.docker.bridge_ip":"172.17.0.1","driver.docker.runtimes":"io.containerd.runc.v2,runc","driver.docker.os_type":"linux","driver.docker.volumes.enabled":"true"`,
		),
	}
	address := `{"Family":"ipv4","Alias":"default","Address":"10.0.0.1","ReservedPorts":"","Gateway":""}`
	return fmt.Sprintf(
		`{"Address":"10.0.0.1","ID":"%08x-1111-4111-8111-111111111111","Attributes":null,"Datacenter":"dc1","Name":"workers-%05d","NodePool":"default","NodeClass":"workers","Version":"1.11.3","Drain":false,"SchedulingEligibility":"eligible","Status":"ready","StatusDescription":"","Drivers":{`,
		i,
		i,
	) +
		strings.Join(drivers, ",") + fmt.Sprintf(
		`},"HostVolumes":{},"NodeResources":{"Cpu":{"CpuShares":%d,"TotalCpuCores":%d,"ReservableCpuCores":[`,
		cores*2596,
		cores,
	) + strings.Join(ids, ",") +
		`]},"Processors":{"Topology":{"Cores":[` + strings.Join(
		topology,
		",",
	) +
		`],"Distances":null,"Nodes":[0],"OverrideTotalCompute":0,"OverrideWitholdCompute":0}},"Memory":{"MemoryMB":24105},"Disk":{"DiskMB":258019},"Devices":null,` +
		`"NodeNetworks":[{"Mode":"bridge","Device":"","MacAddress":"","Speed":0,"Addresses":null},{"Mode":"host","Device":"eth0","MacAddress":"52:54:00:12:34:56","Speed":1000,"Addresses":[` + address + "," + address + `]}],` +
		`"Networks":[{"Mode":"bridge"},{"Mode":"host","Device":"eth0","CIDR":"10.0.0.1/32","IP":"10.0.0.1","MBits":1000},{"Mode":"host","Device":"eth0","CIDR":"fe80::1/128","IP":"fe80::1","MBits":1000}],"MinDynamicPort":20000,"MaxDynamicPort":32000},` +
		`"ReservedResources":{"Cpu":{"CpuShares":0,"ReservedCpuCores":null},"Memory":{"MemoryMB":0},"Disk":{"DiskMB":0},"Networks":{"ReservedHostPorts":""}},` +
		`"LastDrain":{"StartedAt":"2026-11-29T03:48:14Z","UpdatedAt":"2026-11-29T03:48:14Z","Status":"complete","AccessorID":"` + nodeB + `","Meta":{"harvester_drain_id":"` + nodeB + `","harvester_drain_on_timeout":"Force","message":"nomad-harvester takes this node away"}},"CreateIndex":8,"ModifyIndex":10}`
}

func TestLargeClusterFits(t *testing.T) {
	for _, tt := range []struct{ nodes, cores int }{{5000, 16}, {50, 256}} {
		var list strings.Builder
		for i := range tt.nodes {
			_, _ = list.WriteString(map[bool]string{true: "[", false: ","}[i == 0] + clientNode(i, tt.cores))
		}
		_, _ = list.WriteString("]")
		text, one := list.String(), clientNode(1, tt.cores)
		server := httptest.NewServer(saying(text))
		defer server.Close()
		c := NewClusters(Options{RequestTimeout: time.Minute}).Get(Connection{Address: server.URL}).(*cluster) // for a busy CPU
		var nodes map[string]Node
		grew := peak(t, func() {
			var err error
			if nodes, err = c.remote.nodes(t.Context(), 0); err != nil {
				t.Error(err)
			}
		})
		t.Logf("%d nodes of %d cores: %d kB, of which one has %d B and %d tokens, took %d KiB", tt.nodes, tt.cores,
			len(text)/1000, len(one), tokensIn([]byte(one)), grew>>10)
		if len(nodes) != tt.nodes || len(text) > maxList/2 || len(one) > maxItem/4 ||
			tokensIn([]byte(one)) > maxItemTokens/3 ||
			grew > 64<<20 {
			t.Errorf("got %d of %d nodes, with %d KiB", len(nodes), tt.nodes, grew>>10)
		}
	}
}

func TestEndlessRefusalEnds(t *testing.T) {
	for name, pause := range map[string]time.Duration{"fast": 0, "slow": 50 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			c := answering(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusForbidden)
				for r.Context().Err() == nil {
					if _, err := io.WriteString(w, "no "); err != nil {
						return
					}
					if pause > 0 {
						w.(http.Flusher).Flush()
						time.Sleep(pause)
					}
				}
			}).(*cluster)
			began := time.Now()
			if _, err := c.remote.nodes(t.Context(), 0); err == nil || len(err.Error()) > 1000 ||
				time.Since(began) > 10*time.Second {
				t.Errorf("%.200v after %s", err, time.Since(began))
			}
		})
	}
}

// The server may be anything that can be reached from the controller, and what it says is read by whoever may read
// the pool.
func TestOnlyPlainShortRefusalsAreQuoted(t *testing.T) {
	const secret = "word of somebody else's"
	for name, c := range map[string]struct {
		kind, body, cause string
	}{
		"Nomad's": {"text/plain; charset=utf-8", "Permission denied\n", "403 Permission denied"},
		"nothing": {"text/plain", "", "403 Forbidden"},
		"a page":  {"text/html", secret, "403 Forbidden (the body, of type text/html, isn't shown)"},
		"JSON": {"application/json", `{"a":"` + secret + `"}`,
			"403 Forbidden (the body, of type application/json, isn't shown)"},
		"long": {"text/plain", secret + strings.Repeat(".", maxQuote),
			"403 Forbidden (the body, of type text/plain, isn't shown)"},
		"several lines": {"text/plain", secret + "\nand more", "403 Forbidden (the body, of type text/plain, isn't shown)"},
		"no text":       {"text/plain", secret + "\xff", "403 Forbidden (the body, of type text/plain, isn't shown)"},
		"a strange type": {secret + " / " + strings.Repeat("x", 100), secret,
			"403 Forbidden (the body, of type unknown, isn't shown)"},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := answering(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", c.kind)
				w.WriteHeader(http.StatusForbidden)
				_, _ = io.WriteString(w, c.body)
			})
			err := cluster.Cordon(t.Context(), nodeA)
			if !errors.Is(err, ErrForbidden) || Cause(err) != c.cause || strings.Contains(err.Error(), secret) {
				t.Errorf("%v, because %q", err, Cause(err))
			}
		})
	}
}

func TestRedirectsRevealNothing(t *testing.T) {
	for _, to := range []string{"http://secret.example/", "http://secret example:x:y/", ""} {
		c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", to)
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusFound)
			_, _ = io.WriteString(w, `<a href="http://secret.example/">`)
		})
		err := c.Cordon(t.Context(), nodeA)
		if err == nil || strings.Contains(err.Error(), "secret") ||
			Cause(err) != "302 Found (the body, of type text/html, isn't shown)" {
			t.Errorf("%v, because %q", err, Cause(err))
		}
	}
}

// What isn't HTTP may be the banner of any server.
func TestBannersAreNotQuoted(t *testing.T) {
	c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = fmt.Fprintf(conn, "SSH-2.0-secret\r\n")
		_ = conn.Close()
	})
	if err := c.Cordon(t.Context(), nodeA); !errors.Is(err, ErrUnreachable) || strings.Contains(Cause(err), "secret") {
		t.Errorf("got %v, because %q", err, Cause(err))
	}
}
