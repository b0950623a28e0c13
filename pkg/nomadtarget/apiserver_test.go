package nomadtarget

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

const testToken = "token-abcde:s3cr3t-b3ar3r"

// apiServer serves NomadNodePools over TLS the way a kube-apiserver does, as far as the plugin can tell: GET, merge
// PATCH of the scale subresource and, if it is to take them, Events, and nothing else, for that is all that the plugin
// may; optimistic locking, a bearer token, and CEL's refusal of replicas out of bounds.
type apiServer struct {
	*httptest.Server

	mu       sync.Mutex
	pools    map[string]*v1alpha1.NomadNodePool // by namespace/name
	version  int
	requests []string
	// events are those that were made; takesEvents: the plugin may make some.
	events      []eventsv1.Event
	takesEvents bool

	// before, if set, sees each request first; returning true means that it has answered. Called without the lock.
	before func(w http.ResponseWriter, r *http.Request) bool
}

func newAPIServer(t *testing.T, pools ...*v1alpha1.NomadNodePool) *apiServer {
	t.Helper()
	s := &apiServer{pools: map[string]*v1alpha1.NomadNodePool{}}
	for _, p := range pools {
		s.put(p)
	}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// agentConfig is a target block that leads to the server.
func (s *apiServer) agentConfig() map[string]string {
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	return map[string]string{
		"harvester_url": s.URL, "auth_token": testToken, "ca_cert": string(ca),
		"nomad_token": "n0mad-s3cr3t", "nomad_address": "http://127.0.0.1:4646",
	}
}

func (s *apiServer) put(p *v1alpha1.NomadNodePool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	p = p.DeepCopy()
	p.ResourceVersion = strconv.Itoa(s.version)
	s.pools[p.Namespace+"/"+p.Name] = p
}

// change edits the pool default/workers as another writer would.
func (s *apiServer) change(edit func(*v1alpha1.NomadNodePool)) {
	p := s.pool()
	edit(p)
	s.put(p)
}

func (s *apiServer) pool() *v1alpha1.NomadNodePool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pools["default/workers"].DeepCopy()
}

// reads are the requests so far that changed nothing, and writes the others.
func (s *apiServer) reads() []string  { return s.requested(true) }
func (s *apiServer) writes() []string { return s.requested(false) }

func (s *apiServer) requested(reads bool) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, r := range s.requests {
		if strings.HasPrefix(r, http.MethodGet) == reads {
			out = append(out, r)
		}
	}
	return out
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	before := s.before
	s.mu.Unlock()
	if before != nil && before(w, r) {
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+testToken {
		refuse(w, apierrors.NewUnauthorized("Unauthorized"))
		return
	}
	// /apis/<group>/<version>/namespaces/<ns>/nomadnodepools/<name>[/scale]
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if r.Method == http.MethodPost && len(parts) == 6 && parts[1] == eventsv1.GroupName && parts[5] == "events" {
		s.event(w, r)
		return
	}
	if len(parts) < 7 || parts[1] != v1alpha1.GroupVersion.Group || parts[5] != "nomadnodepools" {
		http.NotFound(w, r)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.pools[parts[4]+"/"+parts[6]]
	if !ok {
		refuse(w, apierrors.NewNotFound(schema.GroupResource{Group: parts[1], Resource: parts[5]}, parts[6]))
		return
	}
	switch r.Method {
	case http.MethodGet:
		answer(w, http.StatusOK, typed(p))
	case http.MethodPatch:
		if len(parts) != 8 || parts[7] != "scale" {
			refuse(w, apierrors.NewForbidden(schema.GroupResource{Group: parts[1], Resource: parts[5]}, parts[6], nil))
			return
		}
		s.scale(w, r, p)
	default:
		http.Error(w, r.Method, http.StatusMethodNotAllowed)
	}
}

func (s *apiServer) event(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.takesEvents {
		refuse(w, apierrors.NewForbidden(schema.GroupResource{Group: eventsv1.GroupName, Resource: "events"}, "", nil))
		return
	}
	body, err := io.ReadAll(r.Body)
	e := &eventsv1.Event{}
	if err == nil {
		_, _, err = scheme.Codecs.UniversalDeserializer().Decode(body, nil, e) // Kubernetes' own kinds come as protobuf
	}
	if err != nil {
		refuse(w, apierrors.NewBadRequest(err.Error()))
		return
	}
	s.events = append(s.events, *e)
	e.APIVersion, e.Kind = eventsv1.SchemeGroupVersion.String(), "Event"
	answer(w, http.StatusCreated, e)
}

// scale is called with the lock held.
func (s *apiServer) scale(w http.ResponseWriter, r *http.Request, p *v1alpha1.NomadNodePool) {
	var body autoscalingv1.Scale
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	err, manager := decoder.Decode(&body), r.URL.Query().Get("fieldManager")
	if err != nil || r.Header.Get("Content-Type") != "application/merge-patch+json" || manager == "" {
		refuse(w, apierrors.NewBadRequest(fmt.Sprintf("not what the plugin should send: %v", err)))
		return
	}
	if body.ResourceVersion != p.ResourceVersion {
		resource := schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "nomadnodepools"}
		refuse(w, apierrors.NewConflict(resource, p.Name, fmt.Errorf("the object has been modified")))
		return
	}
	if most := p.Spec.MaxReplicas; most != nil && body.Spec.Replicas > *most {
		cause := field.Invalid(field.NewPath("spec"), "object",
			fmt.Sprintf("spec.replicas: %d is more than spec.maxReplicas %d", body.Spec.Replicas, *most))
		refuse(w,
			apierrors.NewInvalid(v1alpha1.GroupVersion.WithKind("NomadNodePool").GroupKind(), p.Name, field.ErrorList{cause}))
		return
	}
	p = p.DeepCopy()
	p.Spec.Replicas = ptr.To(body.Spec.Replicas)
	p.Generation++
	p.ManagedFields = []metav1.ManagedFieldsEntry{
		{Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, Subresource: "scale"}}
	s.version++
	p.ResourceVersion = strconv.Itoa(s.version)
	s.pools[p.Namespace+"/"+p.Name] = p
	answer(w, http.StatusOK, &autoscalingv1.Scale{
		TypeMeta:   metav1.TypeMeta{APIVersion: "autoscaling/v1", Kind: "Scale"},
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name, ResourceVersion: p.ResourceVersion},
		Spec:       autoscalingv1.ScaleSpec{Replicas: p.DesiredReplicas()},
	})
}

// scaledBy is the field manager that set the replicas of the pool last, as the API server has recorded it.
func scaledBy(p *v1alpha1.NomadNodePool) string {
	for _, f := range p.ManagedFields {
		if f.Subresource == "scale" {
			return f.Manager
		}
	}
	return ""
}

func typed(p *v1alpha1.NomadNodePool) *v1alpha1.NomadNodePool {
	p = p.DeepCopy()
	p.APIVersion, p.Kind = v1alpha1.GroupVersion.String(), "NomadNodePool"
	return p
}

func refuse(w http.ResponseWriter, err *apierrors.StatusError) {
	status := err.Status()
	status.APIVersion, status.Kind = "v1", "Status"
	answer(w, int(status.Code), status)
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		panic(err)
	}
}

// complete is a pool in which nothing changes, with as many ready members as replicas.
func complete(replicas int32) *v1alpha1.NomadNodePool {
	return &v1alpha1.NomadNodePool{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "workers", Generation: 4},
		Spec:       v1alpha1.NomadNodePoolSpec{Replicas: ptr.To(replicas)},
		Status: v1alpha1.NomadNodePoolStatus{ObservedGeneration: 4, Replicas: replicas, ReadyReplicas: replicas,
			UpdatedReplicas: replicas},
	}
}

var workers = map[string]string{"node_pool_name": "workers"}

// logBuffer collects log lines; safe for concurrent use.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// lines that contain all of the given texts.
func (b *logBuffer) lines(containing ...string) []string {
	var out []string
next:
	for line := range strings.Lines(b.String()) {
		for _, c := range containing {
			if !strings.Contains(line, c) {
				continue next
			}
		}
		out = append(out, line)
	}
	return out
}

func newTestTarget(t *testing.T) (*Target, *logBuffer) {
	t.Helper()
	logs := &logBuffer{}
	target := New(hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, JSONFormat: true, Output: logs}), "harvester")
	target.getenv = func(string) string { return "" }
	return target, logs
}

// newConfiguredTarget is a plugin that is configured for the server.
func newConfiguredTarget(t *testing.T, s *apiServer) (*Target, *logBuffer) {
	t.Helper()
	target, logs := newTestTarget(t)
	if err := target.SetConfig(s.agentConfig()); err != nil {
		t.Fatalf("SetConfig: %v", err)
	}
	return target, logs
}
