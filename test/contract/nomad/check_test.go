package nomad_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// place is a server, and how it is reached: directly, or through something that changes its answers.
type place struct {
	*nomad.Server
	bin  string
	acl  bool
	api  *api.Client // with the management token
	addr string
}

// check is a behaviour under watch. Its methods end the check when something isn't as it should be, as those of
// testing.T do; it isn't one because a planted difference has to be found without failing the test.
type check struct {
	*place
	ctx context.Context
	// id is in the names of all that the check makes.
	id       string
	timeout  time.Duration
	failure  error
	cleanups []func() error
}

// watch tells what isn't as the behaviour says.
func (b behaviour) watch(ctx context.Context, p *place, timeout time.Duration) error {
	c := &check{place: p, ctx: ctx, id: b.name + "-" + uuid.NewString()[:8], timeout: timeout}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer c.clean()
		defer func() { // an answer without what the check looks into
			if r := recover(); r != nil {
				c.failure = errors.Join(c.failure, fmt.Errorf("panic: %v", r))
			}
		}()
		b.check(c)
	}()
	<-done
	return c.failure
}

func (c *check) clean() {
	for i := len(c.cleanups) - 1; i >= 0; i-- {
		if err := c.cleanups[i](); err != nil {
			c.failure = errors.Join(c.failure, err)
		}
	}
}

func (c *check) later(f func() error) { c.cleanups = append(c.cleanups, f) }

func (c *check) fatalf(format string, args ...any) {
	c.failure = errors.Join(c.failure, fmt.Errorf("%s: "+format, append([]any{where()}, args...)...))
	runtime.Goexit()
}

// where is the line of the behaviour that is being watched.
func where() string {
	for depth := 2; ; depth++ {
		_, file, line, ok := runtime.Caller(depth)
		file = filepath.Base(file)
		if helper := file == "check_test.go" || file == "world_test.go" || file == "agent_test.go"; !ok || !helper {
			return fmt.Sprintf("%s:%d", file, line)
		}
	}
}

func (c *check) must(err error) {
	if err != nil {
		c.fatalf("%w", err)
	}
}

func (c *check) equal(what string, got, want any) {
	if !reflect.DeepEqual(got, want) {
		c.fatalf("%s is %v, want %v", what, got, want)
	}
}

func (c *check) holds(what string, ok bool, seen ...any) {
	if !ok {
		c.fatalf("not so: %s; seen: %v", what, seen)
	}
}

// refused wants an error with that status and text.
func (c *check) refused(err error, status int, text string) {
	var answer api.UnexpectedResponseError
	if !errors.As(err, &answer) || answer.StatusCode() != status || !strings.Contains(err.Error(), text) {
		c.fatalf("got %v, want %d with %q", err, status, text)
	}
}

// await asks until there is no error.
func (c *check) await(what string, ask func() error) {
	ctx, cancel := context.WithTimeout(c.ctx, c.timeout)
	defer cancel()
	if err := process.WaitFor(ctx, 50*time.Millisecond, what, func(context.Context) error { return ask() }); err != nil {
		c.fatalf("%w", err)
	}
}

// stays asks for a while, and wants no error all the time.
func (c *check) stays(what string, while time.Duration, ask func() error) {
	for end := time.Now().Add(while); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if err := ask(); err != nil {
			c.fatalf("%s doesn't stay so: %w", what, err)
		}
	}
}

func (c *check) dir() string {
	dir, err := os.MkdirTemp("", "contract-")
	c.must(err)
	c.later(func() error { return errors.Join(c.end(dir), unmount(dir), os.RemoveAll(dir)) })
	return dir
}

// end kills what an agent left running below: a task and its executor outlive the agent that started them. A task has
// the directory in its environment, and an executor, which is the agent's own program, on its command line. Nobody
// else who looks at a file there is ended; who has gone meanwhile isn't looked at.
func (c *check) end(dir string) error {
	processes, err := filepath.Glob("/proc/[0-9]*")
	for _, process := range processes {
		program, _ := os.Readlink(filepath.Join(process, "exe"))
		line, _ := os.ReadFile(filepath.Join(process, "cmdline"))
		environment, _ := os.ReadFile(filepath.Join(process, "environ"))
		task := bytes.Contains(environment, []byte("NOMAD_ALLOC_DIR="+dir+"/"))
		executor := program == c.bin && bytes.Contains(line, []byte(dir+"/"))
		if pid, err := strconv.Atoi(filepath.Base(process)); err == nil && pid != os.Getpid() && (task || executor) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	return err
}

// unmount takes away what is mounted below. An agent mounts each task's secrets, and leaves them when it stops,
// because the task goes on.
func unmount(dir string) (err error) {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for _, place := range mountsBelow(string(table), dir) {
		err = errors.Join(err, syscall.Unmount(place, 0))
	}
	return err
}

// mountsBelow are the places of a mount table that are in the directory, the innermost first.
func mountsBelow(table, dir string) (places []string) {
	for line := range strings.Lines(table) {
		if fields := strings.Fields(line); len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			places = append(places, fields[4])
		}
	}
	slices.Reverse(places)
	return places
}

// as is a client with another token, reached in the same way.
func (c *check) as(secret string) *api.Client {
	config := &api.Config{Address: c.addr, Region: nomad.Region, SecretID: secret}
	if c.CACert != "" {
		config.TLSConfig = &api.TLSConfig{CACert: c.CACert, ClientCert: c.ClientCert, ClientKey: c.ClientKey}
	}
	client, err := api.NewClient(config)
	c.must(err)
	return client
}

// with is a client with a token that has one policy with these rules.
func (c *check) with(rules string) *api.Client { return c.as(c.token(rules)) }

func (c *check) token(rules string) string {
	_, err := c.api.ACLPolicies().Upsert(&api.ACLPolicy{Name: c.id, Rules: rules}, nil)
	c.must(err)
	token, _, err := c.api.ACLTokens().Create(&api.ACLToken{Name: c.id, Type: "client", Policies: []string{c.id}}, nil)
	c.must(err)
	return token.SecretID
}

// answer is what came back over plain HTTP.
type answer struct {
	status int
	header http.Header
	body   string
}

// http sends a request by hand; body is nil, a string or what becomes JSON.
func (c *check) http(method, path string, body any) answer {
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		c.must(err)
		reader = bytes.NewReader(text)
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, c.addr+path, reader)
	c.must(err)
	request.Header.Set("X-Nomad-Token", c.Token)
	response, err := http.DefaultClient.Do(request)
	c.must(err)
	text, err := io.ReadAll(response.Body)
	c.must(errors.Join(err, response.Body.Close()))
	return answer{response.StatusCode, response.Header, string(text)}
}
