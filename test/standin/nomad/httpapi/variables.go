package httpapi

import (
	"errors"
	"net/http"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/server"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// variableRoutes are what a lock needs: variables are read and locked, and not written otherwise.
var variableRoutes = map[string]methods{
	"/v1/var/{id...}": {get: readVariable, put: lockVariable},
}

// variable is a variable as Nomad shows it: without items if it has none.
type variable struct {
	api.VariableMetadata
	Items api.VariableItems `json:",omitempty"`
}

func variableOf(v *api.Variable) *variable {
	shown := &variable{*v.Metadata(), v.Items}
	shown.Lock = v.Lock
	return shown
}

// readVariable hides the lock from all but management: its ID is what its holder is known by (Nomad:
// nomad/variables_endpoint.go, Read).
func readVariable(c *call) (any, error) {
	if err := need(c.may.AllowVariableOperation(c.q.namespace, c.id(), acl.VariablesCapabilityRead)); err != nil {
		return nil, err
	}
	return read(c, func(s *state.Snapshot) (uint64, *variable, error) {
		v := state.Variables.Get(s, state.Key(c.q.namespace, c.id()))
		if v == nil {
			return s.Index(state.Variables.Name), nil, notFound("variable")
		}
		shown := variableOf(v)
		if !c.may.IsManagement() {
			shown.Lock = nil
		}
		return v.ModifyIndex, shown, nil
	})
}

// lockVariable acquires, renews or releases a lock (https://developer.hashicorp.com/nomad/api-docs/variables/locks; the
// answers are those of Nomad's command/agent/variable_endpoint.go).
func lockVariable(c *call) (any, error) {
	var in api.Variable
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	in.Path = c.id()
	if in.Namespace == "" {
		in.Namespace = c.q.namespace
	}
	var operations []func(*call, api.Variable) (any, error)
	for name, do := range map[string]func(*call, api.Variable) (any, error){
		"lock-acquire": acquireLock, "lock-renew": renewLock, "lock-release": releaseLock,
	} {
		if c.q.values.Has(name) {
			operations = append(operations, do)
		}
	}
	switch {
	case len(operations) == 0:
		return nil, fail(http.StatusNotImplemented, "the stand-in locks variables, and writes none otherwise")
	case len(operations) > 1:
		return nil, badRequest("multiple lock operations")
	case c.q.values.Get("cas") != "":
		return nil, badRequest("CAS can't be used with lock operations")
	}
	return operations[0](c, in)
}

// acquireLock needs the right to write, and shows the writer what it wrote.
func acquireLock(c *call, in api.Variable) (any, error) {
	if err := need(c.may.AllowVariableOperation(in.Namespace, in.Path, acl.VariablesCapabilityWrite)); err != nil {
		return nil, err
	}
	locked, index, err := c.api.server.AcquireLock(in)
	return c.lockUpdate(in, locked, index, err)
}

// renewLock goes by the namespace of the request, whatever the body says, and answers without items.
func renewLock(c *call, in api.Variable) (any, error) {
	if err := need(c.may.AllowVariableOperation(c.q.namespace, in.Path, acl.VariablesCapabilityWrite)); err != nil {
		return nil, err
	}
	v, err := c.api.server.RenewLock(c.q.namespace, in.Path, in.LockID())
	if err != nil {
		return nil, err
	}
	return variableOf(v).VariableMetadata, nil
}

func releaseLock(c *call, in api.Variable) (any, error) {
	if err := need(c.may.AllowVariableOperation(in.Namespace, in.Path, acl.VariablesCapabilityWrite)); err != nil {
		return nil, err
	}
	free, index, err := c.api.server.ReleaseLock(in)
	if free != nil {
		bare := *free
		bare.Items = nil // who releases is shown the items that it sent, which are none
		free = &bare
	}
	return c.lockUpdate(in, free, index, err)
}

// lockUpdate answers a change of a lock. A conflict shows nothing of the variable but where it is.
func (c *call) lockUpdate(in api.Variable, v *api.Variable, index uint64, err error) (any, error) {
	if errors.Is(err, server.ErrLocked) {
		return withStatus{http.StatusConflict,
			variable{VariableMetadata: api.VariableMetadata{Namespace: in.Namespace, Path: in.Path}}}, nil
	}
	if err != nil {
		return nil, err
	}
	c.setIndex(index)
	return variableOf(v), nil
}
